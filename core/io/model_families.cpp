#include "core/io/model_families.h"

#include <algorithm>

#include "core/check.h"
#include "core/io/model_parts.h"

namespace facet {

const std::vector<ModelFamily>& modelFamilies() {
  static const std::string kBasel =
      "University of Basel: non-commercial use after registration, not to be passed on";
  static const std::string kFromBasel = "made from BFM 2009 (" + kBasel + "); the code is MIT";
  static const std::vector<ModelFamily> families = {
      {"ict", "ICT-FaceKit light", "the folder FaceXModel",
       "MIT, (c) 2020 USC Institute for Creative Technologies", "https://github.com/ICT-VGL/ICT-FaceKit"},
      {"bfm-2009", "Basel Face Model 2009",
       "01_MorphableModel.mat; for expressions Exp_Pca.bin and std_exp.txt too", kBasel,
       "https://faces.dmi.unibas.ch/bfm/main.php?nav=1-2&id=downloads"},
      {"bfm-2009-front", "Deep3DFaceReconstruction's front face of BFM 2009", "BFM_model_front.mat", kBasel,
       "https://github.com/sicxu/Deep3DFaceRecon_pytorch#prepare-prerequisite-models"},
      {"face3d", "face3d's BFM", "BFM.mat", kBasel,
       "https://github.com/yfeng95/face3d/blob/master/examples/Data/BFM/readme.md"},
      {"bfm-2017", "Basel Face Model 2017", "model2017-1_bfm_nomouth.h5 or model2017-1_face12_nomouth.h5",
       kBasel, "https://faces.dmi.unibas.ch/bfm/bfm2017.html"},
      {"bfm-2019", "Basel Face Model 2019", "model2019_bfm.h5, model2019_face12.h5 or model2019_fullHead.h5",
       kBasel, "https://faces.dmi.unibas.ch/bfm/bfm2019.html"},
      {"albedo-2020", "A Morphable Face Albedo Model",
       "albedoModel2020_face12_albedoPart.h5, beside a face12 shape model", kBasel,
       "https://github.com/waps101/AlbedoMM"},
      {"flame", "FLAME 2017, 2019, 2020, 2023",
       "generic_model.pkl or flame2023.pkl, with landmark_embedding.npy, FLAME_masks.pkl and "
       "FLAME_texture.npz beside it",
       "Max Planck Society: non-commercial research after registration; FLAME 2023 Open: CC-BY-4.0",
       "https://flame.is.tue.mpg.de"},
      {"eos", "Surrey Face Model and other models of eos",
       "sfm_shape_3448.bin, with expression_blendshapes_3448.bin and ibug_to_sfm.txt beside it",
       "University of Surrey: non-commercial use; larger versions on request",
       "https://github.com/patrikhuber/eos/tree/master/share"},
      {"faceverse", "FaceVerse", "faceverse_simple_v2.npy, faceverse_v3_1.npy …",
       "(c) its authors: academic research only; the files come with an agreement to sign",
       "https://github.com/LizhenWangT/FaceVerse"},
      {"3ddfa", "3DDFA_V2 and 3DDFA", "bfm_noneck_v3.pkl with tri.pkl beside it, or the folder of .npy files",
       kFromBasel, "https://github.com/cleardusk/3DDFA_V2/tree/master/configs"},
      {"3ddfa-v3", "3DDFA-V3", "face_model.npy", kFromBasel, "https://github.com/wang-zidu/3DDFA-V3"}};
  return families;
}

namespace {

template <typename Is>
const ModelFamily* findFamily(const Is& is) {
  const auto& families = modelFamilies();
  const auto found = std::find_if(families.begin(), families.end(), is);
  return found == families.end() ? nullptr : &*found;
}

}  // namespace

const ModelFamily* findModelFamily(const std::string& name) {
  return findFamily([&](const ModelFamily& family) { return family.name == lowerCase(name); });
}

const ModelFamily* familyOf(const MorphableModel& model) {
  return findFamily([&](const ModelFamily& family) { return family.page == model.source; });
}

void setOrigin(const std::string& family_name, MorphableModel& model) {
  const ModelFamily* family = findModelFamily(family_name);
  require(family, "setOrigin: no family ", family_name);
  model.licence = family->licence;
  model.source = family->page;
}

}  // namespace facet
