// Export of the head that is shown, and its distance to a scan.
#include <sstream>

#include "apps/common/export_output.h"
#include "apps/common/interrupt.h"
#include "apps/common/model_library.h"
#include "apps/common/take_source.h"
#include "apps/facet_view/workbench_impl.h"
#include "core/error.h"
#include "core/io/glb_reader.h"
#include "core/io/mesh_io.h"
#include "core/io/model_parts.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

// "50, 25" percent as shares.
std::vector<double> lodShares(const std::string& percents) {
  std::vector<double> shares;
  std::istringstream list(percents);
  for (std::string item; std::getline(list, item, ',');) {
    std::istringstream text(item);
    double percent = 0;
    if (!(text >> percent) || percent < 1 || percent > 100) {
      fail(ErrorKind::kUsage, "levels of detail: \"", item,
           "\" is no share; give percent of the triangles, such as 50, 25");
    }
    shares.push_back(percent / 100);
  }
  return shares;
}

ExportOptions optionsOf(const ExportRequest& request, const std::optional<Take>& own_take,
                        const ExportFormat& format, Session& own) {
  ExportOptions options;
  options.shapes.targets = targetSet(request.shapes);
  options.shapes.naming = shapeNaming(request.naming);
  options.shapes.with_empty_tongue = request.empty_tongue;
  if (!request.unit.empty()) options.unit = exportUnit(request.unit);
  options.texture_size_px = request.texture_size_px;
  options.photo_expression = request.photo_expression;
  options.with_camera = request.with_camera;
  options.quantised = request.quantised;
  options.skin_detail = request.skin_detail;
  options.topology = request.topology.empty() ? "native" : request.topology;
  options.lod_shares = lodShares(request.lods);
  if (!request.take.empty()) {
    TakeSource source = loadTake(request.take, {}, own);
    for (const std::string& note : source.notes) own.console.say(request.take + ": " + note);
    options.take = std::move(source.take);
  } else if (own_take && !request.photo_expression) {
    const bool is_curves = format.extension == ".csv" || format.name == "take";
    if (format.is_scene || is_curves) options.take = own_take;
  }
  return options;
}

}  // namespace

void Workbench::Impl::exportHead(const ExportRequest& request) {
  const std::shared_ptr<WorkItem> item = currentItem();
  if (!item || !item->subject().head)
    fail(ErrorKind::kUsage, "there is no head to export; open one, or fit one to a photo");
  if (request.path.empty()) fail(ErrorKind::kUsage, "say which file or folder the export is to write");
  const ExportFormat& format = exportFormat(request.format, request.path);
  const Subject& subject = item->subject();
  const int frame = subject.frames.empty() ? 0 : scene.timeline.current();
  auto head = std::make_shared<Head>(headOf(item->opened, request.photo_expression, frame));
  addJob("export " + request.path.filename().string(),
         [this, item, request, &format, head, take = item->opened.take,
          completes = item->opened.completes_on_export](Session& own) {
           const fs::path& output = request.path;
           own.console.progress(output.filename().string(), "prepare", 0);
           const ExportOptions options = optionsOf(request, take, format, own);
           checkExport(output, request.overwrite, format, options);
           if (completes && (!head->model.hasNamedShapes() || !head->model.hasUsableUv()))
             completeFromBuiltin(head->model_reference, head->model, own);
           throwIfInterrupted();
           const Head wrapped = inTopology(std::move(*head), options, own);
           throwIfInterrupted();
           own.console.progress(output.filename().string(), "make maps and write", 0.5);
           const std::string told = writeExport(output, request.overwrite, format, wrapped, options, own);
           own.console.say("wrote " + output.string() + ": " + told);
           send([item] { item->subject().edited = false; });
         });
}

void Workbench::Impl::openScan(const fs::path& path) {
  const std::string extension = lowerCase(path.extension().string());
  const bool is_gltf = extension == ".glb" || extension == ".gltf";
  if (extension != ".obj" && extension != ".ply" && !is_gltf)
    fail(ErrorKind::kInput, path.string(), ": a scan is a mesh; expected an .obj, .ply, .glb or .gltf file");
  addJob("open " + path.filename().string(), [this, path, extension, is_gltf](Session& own) {
    own.console.progress(path.filename().string(), "read the scan", -1);
    auto scan = std::make_shared<Mesh>(is_gltf               ? readGlb(path).mesh
                                       : extension == ".obj" ? readObj(path)
                                                             : readPly(path));
    std::vector<std::string> notes;
    try {
      scan->vertices *= millimetresPerUnit(scan->vertices, kMillimetres, notes);
    } catch (const std::invalid_argument& error) {
      fail(ErrorKind::kInput, path.string(), ": ", error.what());
    }
    for (const std::string& note : notes) own.console.say(path.filename().string() + ": " + note);
    send([this, scan, path] {
      scene.scan = scan;
      scene.scan_name = path.filename().string();
      scene.scan_distance.reset();
      scene.view.mode = SurfaceMode::kScanError;
      remember(fs::absolute(path));
      const Subject* subject = scene.subject();
      if (subject != nullptr && subject->head) measureScan();
    });
  });
}

void Workbench::Impl::measureScan() {
  if (!scene.scan) fail(ErrorKind::kUsage, "there is no scan to measure against; open one");
  const Subject* subject = scene.subject();
  if (subject == nullptr || !subject->head)
    fail(ErrorKind::kUsage, "there is no head to measure; open one, or fit one to a photo");
  // Where they stand is up to date only after vertices() has been asked for.
  const std::weak_ptr<ShapedHead> head = subject->head;
  auto vertices = std::make_shared<const Points3>(subject->head->vertices());
  const unsigned revision = subject->head->shapeRevision();
  ScanDistanceOptions options;
  options.face = faceVertices(subject->head->model(), *vertices);
  options.align_scale = !subject->frames.empty();
  addJob("measure the distance to " + scene.scan_name,
         [this, head, vertices, revision, scan = scene.scan, options,
          triangles = subject->head->model().triangles](Session& own) {
           own.console.progress(scene.scan_name, "align and measure", -1);
           auto distance = std::make_shared<ScanDistance>(scanDistance(*vertices, triangles, *scan, options));
           throwIfInterrupted();
           own.console.say(
               "distance to the scan, over " + std::string(options.face.empty() ? "all" : "the face") + ": " +
               fixed(distance->mean_mm, 2) + " mm on average, 95 % below " + fixed(distance->p95_mm, 2) +
               " mm" +
               (options.align_scale ? "; brought to the scan's size (× " + fixed(distance->scale, 3) +
                                          "), which photos do not tell"
                                    : ""));
           send([this, head, revision, distance, scan] {
             const Subject* current = scene.subject();
             if (current == nullptr || current->head != head.lock() || scene.scan != scan) return;
             scene.scan_distance = std::move(*distance);
             scene.scan_revision = revision;
           });
         });
}

}  // namespace facet
