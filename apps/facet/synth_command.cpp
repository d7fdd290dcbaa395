// facet synth -o DIR: synthetic faces to train the landmark network with
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "apps/facet/command.h"
#include "core/error.h"
#include "synth/synth.h"

namespace facet {
namespace {

int synthesise(const SynthOptions& chosen, Session& session) {
  SynthOptions options = chosen;
  int last_percent = -1;
  options.on_progress = [&](int done, int total) {
    const int percent = static_cast<int>(100LL * done / std::max(total, 1));
    if (percent != last_percent)
      session.console.progress(options.output.string(), "render faces", percent / 100.0);
    last_percent = percent;
    return !interrupted();
  };
  const SynthResult result = runSynth(options);
  if (interrupted()) {
    fail(ErrorKind::kInterrupted, "interrupted; ", options.output.string(),
         " keeps its complete shards, and the same command goes on from there");
  }
  session.console.endProgress();
  session.console.say(std::to_string(result.shards_written) + " shards written to " +
                      options.output.string() + ", " + std::to_string(result.shards_kept) + " kept");
  if (session.json) {
    std::cout << jsonText(nlohmann::json{{"output", options.output.string()},
                                         {"shards_written", result.shards_written},
                                         {"shards_kept", result.shards_kept},
                                         {"seconds", result.seconds}});
  }
  return 0;
}

}  // namespace

void addSynth(CLI::App& app, CommandSession& session) {
  auto options = std::make_shared<SynthOptions>();
  auto truth = std::make_shared<std::string>(textFromTruthMaps(options->truth));
  CLI::App* verb = app.add_subcommand("synth", "Synthetic faces with exact landmarks, for training");
  verb->fallthrough();
  verb->add_option("-o,--output", options->output, "folder of the shards; complete ones are kept")
      ->required();
  verb->add_option("--assets", options->assets, "synth_assets.npz, made by tools/synth/prepare_assets.py")
      ->required();
  verb->add_option("--model", options->model, "the model that the assets were prepared for")->required();
  verb->add_option("--count", options->num_images, "images, rounded up to whole shards")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  verb->add_option("--per-shard", options->images_per_shard, "images in one file")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  verb->add_option("--size", options->size_px, "side of the images, pixels")
      ->check(CLI::Range(32, 1024))
      ->capture_default_str();
  verb->add_option("--seed", options->seed, "seed of everything random")->envname(environmentName("seed"));
  verb->add_option("--truth", *truth,
                   "maps beside the images: all, none, or some of segmentation,depth,normals,albedo,uv")
      ->capture_default_str()
      ->check([](const std::string& text) -> std::string {
        try {
          truthMapsFromText(text);
        } catch (const std::invalid_argument& error) {
          return error.what();
        }
        return "";
      });
  verb->add_option("--negatives", options->negative_fraction, "part of the images without a face")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->footer("Example:\n  facet synth -o shards --assets synth_assets.npz --model ict --count 100000");
  verb->callback([&session, options, truth] {
    options->truth = truthMapsFromText(*truth);
    session.run = [&session, options] { return synthesise(*options, session); };
  });
}

}  // namespace facet
