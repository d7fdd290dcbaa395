#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "core/camera.h"
#include "core/morphable_model.h"
#include "core/spherical_harmonics.h"

namespace facet {

// What a fit knows of one face in one photo or frame.
struct FaceCoefficients {
  Eigen::VectorXf identity;    // standard deviations; fewer than the model's modes leave the rest at zero
  Eigen::VectorXf expression;  // weights, likewise
  Eigen::VectorXf albedo;      // standard deviations; or empty
  Points3 pose;                // J×3 axis times angle, radians, in the parent's frame; or empty
  Camera camera;               // with camera_from_model
  std::optional<SphericalHarmonicsLight> light;  // model frame, linear
};

// The files below are for a model of one family, in the numbers and frames of that family's own tools. All
// throw Error(kUsage), led by the path, for a model of another family and for a scaled orthographic camera.

// FLAME, VHAP's layout of tracked_flame_params_*.npz (float32; V = vertices, T = frames):
//   shape K, expr T×L, neck_pose T×3, jaw_pose T×3, eyes_pose T×6: of the model's file, axis times angle
//   rotation T×3, translation T×3: of the head, metres; x_world = R (x - j) + j + t about the root joint j
//   lights 9×3: the first frame's, DECA's terms in world axes, display values; white where the fit has none
//   static_offset 1×V×3 (zero), timestep_id T (text), n_processed_frames
//   focal_length 1: in units of the image's longer side; image_size 2: height, width
// The camera stands at (0, 0, 1) m of the world and looks along -z, with the principal point in the middle.
// Error(kUsage) for a camera whose principal point is elsewhere, or frames whose focal length or image size
// differ: their cameras need a transforms.json. Identity is the first frame's. Expressions with weights in
// [0, 1] (eyelids) are not FLAME's and are left out.
void writeVhapNpz(const std::filesystem::path& path, const MorphableModel& model,
                  const std::vector<FaceCoefficients>& frames);
// VHAP's camera: that of the fit, with the world of writeVhapNpz() in place of the model frame.
Camera vhapCamera(const Camera& camera);

// FLAME, one face for smplx and FLAME_PyTorch (float32): betas 1×K, expression 1×L, pose 1×15 (global, neck,
// jaw, left eye, right eye), transl 1×3, metres. The same x_world as above, with the camera at the origin
// (x right, y up, it looks along -z).
void writeFlameNpz(const std::filesystem::path& path, const MorphableModel& model,
                   const FaceCoefficients& face);

// Basel models (BFM 2009, 2017, 2019; face3d), MATLAB 5: alpha K×1 (shape), beta A×1 (texture), exp L×1, all
// in standard deviations, which is what the files' own shapeEV, expEV, texEV and pcaVariance are for; R 3×3
// and t 3×1 (mm) of camera_from_model and K 3×3, OpenCV. `beta` is empty where the fit has no albedo.
void writeBfmMat(const std::filesystem::path& path, const MorphableModel& model,
                 const FaceCoefficients& face);

// Deep3DFaceRecon and 3DDFA-V3 (Deng et al., CVPRW 2019), MATLAB 5: coeff 1×257 and its parts id 80, exp 64,
// tex 80, angle 3, gamma 27, trans 3. The rotation is Rz Ry Rx in the viewer's frame, lengths are decimetres,
// the camera stands 10 away with a focal length of 1015 px in an image of 224². To be exact for any photo,
// that image is a crop around the principal point, which need not show the whole face: `crop` 1×3 is its
// left and top in the photo and the photo's pixels per pixel of it. Light and texture are zero where the fit
// has none.
void writeDeep3dMat(const std::filesystem::path& path, const MorphableModel& model,
                    const FaceCoefficients& face);

// Nine light terms of a unit normal (viewer's frame: x to the image's right, y up, z to the viewer); shading
// in display values is their sum with the nine coefficients of a channel. Deep3D adds 0.8 to the first
// coefficient. DECA's terms are VHAP's, too.
Eigen::Matrix<float, 9, 1> deep3dLightTerms(const Eigen::Vector3f& normal_in_viewer);
Eigen::Matrix<float, 9, 1> decaLightTerms(const Eigen::Vector3f& normal_in_viewer);

}  // namespace facet
