// facet track VIDEO|FOLDER -o DIR
#include <iostream>
#include <memory>

#include "apps/common/json_text.h"
#include "apps/common/track_clip.h"
#include "apps/facet/command.h"

namespace facet {
namespace {

struct Arguments {
  std::string clip, output;
  TrackOptions options;
};

}  // namespace

void addTrack(CLI::App& app, CommandSession& session) {
  auto arguments = std::make_shared<Arguments>();
  TrackOptions& options = arguments->options;
  CLI::App* verb =
      app.add_subcommand("track", "A clip in; one identity, and pose and expression per frame out");
  verb->fallthrough();
  verb->add_option("CLIP", arguments->clip, "a video, or a folder of frames in the order of their names")
      ->required();
  verb->add_option("-o,--output", arguments->output, "result folder; appears whole or not at all")
      ->required();
  verb->add_option("--model", options.model, "builtin, an imported model's name, or a model file")
      ->envname(environmentName("model"))
      ->capture_default_str();
  verb->add_option("--focal-px", options.focal_px, "known focal length, pixels; 0 = estimate it")
      ->check(CLI::Range(0.0, 1e6))
      ->envname(environmentName("focal-px"));
  verb->add_option("--texture-size", options.texture_size_px, "side of the texture maps, pixels")
      ->check(CLI::Range(64, 8192))
      ->envname(environmentName("texture-size"))
      ->capture_default_str();
  verb->add_option("--fps", options.folder_fps, "frames per second of a folder")
      ->check(CLI::Range(0.1, 1000.0))
      ->capture_default_str();
  verb->add_flag("!--no-overlay", options.overlay, "write no overlay.mp4");
  verb->add_flag("--force", options.force, "replace an earlier result in the output folder");
  verb->footer(R"(Examples:
  facet track take3.mp4 -o take3
  facet track frames/ -o take3 --fps 30 --no-overlay)");
  verb->callback([&session, arguments] {
    session.run = [&session, arguments] {
      const nlohmann::json summary =
          trackClip(arguments->clip, arguments->output, arguments->options, session);
      if (session.json) std::cout << jsonText(summary);
      return 0;
    };
  });
}

}  // namespace facet
