#include "apps/common/export_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "apps/common/output_folder.h"
#include "core/error.h"
#include "core/io/files.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

// What the folder holds and where it comes from; --force goes by it.
void writeManifest(const fs::path& folder, const Head& head, const ExportFormat& format) {
  nlohmann::json manifest = nlohmann::json::parse(provenanceJson(head.model, head.inputs));
  manifest["format"] = format.name;
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) files.push_back(entry.path().lexically_relative(folder).generic_string());
  }
  std::sort(files.begin(), files.end());
  manifest["files"] = files;
  writeText(folder / kExportManifest, jsonText(manifest));
}

}  // namespace

TargetSet targetSet(const std::string& name) {
  if (name == "arkit") return TargetSet::kArkit;
  if (name == "model") return TargetSet::kModel;
  if (name == "both") return TargetSet::kBoth;
  if (name == "none") return TargetSet::kNone;
  fail(ErrorKind::kUsage, name, ": no such set of shapes; there are arkit, model, both and none");
}

ShapeNaming shapeNaming(const std::string& name) {
  if (name == "arkit") return ShapeNaming::kArkit;
  if (name == "ict") return ShapeNaming::kIct;
  if (name == "pascal") return ShapeNaming::kPascal;
  fail(ErrorKind::kUsage, name, ": no such naming; there are arkit, ict and pascal");
}

void checkExport(const fs::path& output, bool force, const ExportFormat& format,
                 const ExportOptions& options) {
  checkOptions(format, options);
  if (format.extension.empty()) {
    const OutputFolder can_be_made(output, force, OutputFolder::Kind::kExport);
  } else {
    for (const fs::path& file : outputFiles(output, options)) prepareOutputFile(file, force);
  }
}

std::string writeExport(const fs::path& output, bool force, const ExportFormat& format, const Head& head,
                        const ExportOptions& options, Session& session) {
  if (format.extension.empty()) {
    OutputFolder folder(output, force, OutputFolder::Kind::kExport);
    std::string told = writeHead(folder.temporary(), format, head, options, session);
    writeManifest(folder.temporary(), head, format);
    folder.commit();
    return told;
  }
  if (format.write_asset == nullptr) return writeHead(output, format, head, options, session);
  OutputFiles files(output.parent_path(), force);
  std::string told = writeHead(files.temporary() / output.filename(), format, head, options, session);
  throwIfInterrupted();
  files.commit();
  return told;
}

}  // namespace facet
