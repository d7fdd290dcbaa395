#pragma once

#include <filesystem>
#include <string>

#include "apps/common/exporter.h"

namespace facet {

// The shapes and names that an export is asked for: "arkit", "model", "both", "none"; "arkit", "ict",
// "pascal". Error(kUsage) for another word.
TargetSet targetSet(const std::string& name);
ShapeNaming shapeNaming(const std::string& name);

// Before any work: whether the format can have these options and the output can be written there. Makes the
// folder that a file is to stand in. Error(kUsage) if not, or where something is in the way and `force` is
// not set.
void checkExport(const std::filesystem::path& output, bool force, const ExportFormat& format,
                 const ExportOptions& options);

// writeHead() into a folder of its own, with a list of what is in it, or beside what is there; all files
// appear when all is written. Returns what the user is told.
std::string writeExport(const std::filesystem::path& output, bool force, const ExportFormat& format,
                        const Head& head, const ExportOptions& options, Session& session);

}  // namespace facet
