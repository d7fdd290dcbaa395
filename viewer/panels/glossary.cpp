#include "viewer/panels/glossary.h"

#include <map>

namespace facet {

std::string glossary(const std::string& term) {
  static const std::map<std::string, std::string> sentences = {
      {"textured", "The head as it will look elsewhere: its texture under the light that is chosen below."},
      {"albedo",
       "Albedo is the skin's own colour, as if light came evenly from everywhere and cast no shading."},
      {"clay", "Grey without texture, so that only the shape speaks: the honest way to judge a likeness."},
      {"normals",
       "Colours show which way the surface faces: red to the right, green up, blue towards the viewer."},
      {"curvature",
       "Red where the surface bulges outwards, blue where it is hollow; shows creases and noise."},
      {"depth", "Distance from the camera: near is white, far is black."},
      {"pncc",
       "PNCC colours every point by its place on the model's mean face, so the same colour is the same point "
       "on any head."},
      {"uv-checker",
       "UV coordinates say where each point lies on the flat texture; even squares mean an even texture."},
      {"regions", "The parts of the face that the model names, each in a colour of its own."},
      {"skin-weights", "How strongly one joint pulls each point when it turns, from 0 (dark) to 1 (bright)."},
      {"scan-error",
       "Distance from the head to a measured 3D scan of the same face: red lies outside the scan, blue "
       "inside."},
      {"wireframe", "The edges of the triangles drawn over the surface."},
      {"flat", "One direction per triangle instead of a smooth surface: shows the mesh as it is."},
      {"normal map",
       "A normal map is a texture of small tilts that gives light and shade to pores and fine lines without "
       "more triangles."},
      {"displacement",
       "A displacement map says how far fine detail stands out from the coarse surface, in mm."},
      {"occlusion",
       "Occlusion darkens what little light reaches: creases, nostrils, the corners of the eyes."},
      {"landmarks",
       "Landmarks are named points of the face: green as found in the photo, red as the fitted head has "
       "them."},
      {"uncertainty",
       "How unsure the detector is of each landmark: the true place lies in the circle (2σ) about nine times "
       "in ten."},
      {"residual",
       "The residual is what the fit could not explain: how far the head's points lie from those in the "
       "photo, in pixels."},
      {"sigma",
       "σ is the standard deviation: two faces in three lie within ±1σ of the mean, 95 in 100 within ±2σ."},
      {"identity", "Identity parameters change who it is: the shape of the skull and the features at rest."},
      {"expression", "Expression parameters are the model's own ways to move the face."},
      {"arkit",
       "ARKit is Apple's list of 52 named face shapes that most animation programs understand; 0 is rest, 1 "
       "is full."},
      {"colour", "Albedo parameters change the skin's colour the way people's skins differ."},
      {"joints", "Joints turn whole parts of the head: neck, jaw and eyes, in degrees."},
      {"sh light",
       "SH light is a soft light from all sides in nine numbers per colour; the fit finds it in the photo."},
      {"ibl",
       "Image-based light takes the light from a panorama (.hdr or .exr), with its windows and lamps."},
      {"exposure", "Brightness in photographic stops: +1 is twice as bright."},
      {"lamp", "One lamp that you can move round the head to see its relief."},
      {"highlights", "Reflections of lamp and surroundings on moist or oily skin and on the eyes."},
      {"field of view", "How wide the camera sees: 15 to 25° is a portrait lens; above 50° noses grow."},
      {"orthographic", "No perspective: the same size near and far, for measuring and comparing."},
      {"through the photo",
       "Looks through the camera that the fit found, with the photo behind: the head must cover the face."},
      {"wipe", "Both pictures in one place with a line between them that you can drag."},
      {"symmetric", "A slider of one side of the face moves its counterpart on the other side too."},
      {"range", "How far the sliders reach; any value can be typed with Ctrl+click."},
      {"texture size",
       "Side of the square texture in pixels: 1024 shows most photos' detail, 2048 a large portrait's."},
      {"focal length",
       "The lens in pixels of the photo; 0 lets the fit estimate it. From 35 mm film: focal mm × photo width "
       "/ 36."},
      {"quantised",
       "Numbers in 16 bits instead of 32: half the file, for readers that know KHR_mesh_quantization."},
      {"topology",
       "The mesh that the head is wrapped onto; another one keeps the face but follows that mesh's points."},
      {"lods", "Levels of detail: simpler heads for far away, as percent of the triangles, such as 50,25."},
      {"naming",
       "How the shapes are spelled: eyeBlinkLeft (ARKit), eyeBlink_L (ICT) or EyeBlinkLeft (Unreal)."},
      {"tongue", "Adds a tongueOut that moves nothing, for programs that insist on all 52 shapes."},
      {"skin detail", "Adds a normal map of pores and fine lines that is read from the photo's texture."},
      {"take",
       "A recorded performance: take.csv of Live Link Face, take.json, or a result folder of facet track."},
      {"unit",
       "OBJ, PLY and STL files do not say their unit; programs for printing expect mm, Blender metres."},
      {"backfaces", "Shows the inside of the surface too, where you look into it."},
      {"quick", "Skips what costs most time; good enough for a first look."},
      {"scan", "A reference scan: OBJ, PLY or GLB in millimetres or metres, roughly aligned."}};
  const auto found = sentences.find(term);
  return found == sentences.end() ? std::string() : found->second;
}

}  // namespace facet
