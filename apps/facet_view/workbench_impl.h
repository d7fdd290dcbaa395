#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/reconstruct.h"
#include "apps/facet_view/clip_pictures.h"
#include "apps/facet_view/subject_files.h"
#include "apps/facet_view/work_thread.h"
#include "apps/facet_view/workbench.h"
#include "core/error.h"

namespace facet {

// A model that heads are fitted with.
struct FitModel {
  std::string name;  // as the user calls it
  MorphableModel model;
  std::optional<MorphableModel> builtin;  // when `model` is another one
};

// A fit that can be saved as facet reconstruct does it.
struct UnsavedFit {
  std::shared_ptr<const FitModel> model;
  std::shared_ptr<const Photo> photo;
  Reconstruction result;
};

// A subject before it is fitted or tracked anew, to go back to.
struct Before {
  Subject subject;
  Head record;
  std::shared_ptr<const UnsavedFit> fit;
  std::shared_ptr<const FitModel> fit_with;
  Eigen::VectorXf identity, albedo;  // of subject.head, which a fit goes on with
};

// What the workbench knows of a subject besides what the scene shows. Changed on the main thread only, but
// for `pictures`, which belongs to the thread of the pictures.
struct WorkItem {
  OpenedSubject opened;
  std::shared_ptr<const Photo> photo;
  bool photo_waits = false;                  // its pixels are read when it is first shown
  std::optional<DetectedFace> face;          // the largest one of the photo
  std::shared_ptr<const FitModel> fit_with;  // what subject->head was made of by a fit
  std::shared_ptr<const UnsavedFit> fit;
  std::filesystem::path tracked;  // a clip's result that is not saved yet
  std::atomic<int> wanted_frame = -1;
  std::unique_ptr<ClipPictures> pictures;
  bool told_missing_picture = false;
  unsigned materials_revision = 0;  // counts those that fits have brought

  void setMaterials(std::vector<AssetMaterial> materials) {
    ++materials_revision;
    subject().materials = std::move(materials);
  }

  Subject& subject() const { return *opened.subject; }
};

struct Workbench::Impl {
  Impl(Scene& scene, Session& session, std::function<void()> wake);
  ~Impl();

  // ---- Main thread ----
  bool update();
  bool busy() const;
  void finish();
  void open(const std::filesystem::path& path);
  void openNow(const std::string& input, const std::string& model_name);
  void openAgain(const std::string& input, const std::string& model_name);
  void openScan(const std::filesystem::path& path);
  void measureScan();
  void fit(const FitRequest& request);
  void detect();
  void track(const FitRequest& request);
  void exportHead(const ExportRequest& request);
  void saveResult(const std::filesystem::path& path);
  void saveParameters(const std::filesystem::path& path);
  void loadParameters(const std::filesystem::path& path);
  void loadFramePicture(int frame);
  void cancel();

  // Runs an action and turns what it throws into a message.
  void guarded(const std::function<void()>& action);
  std::shared_ptr<WorkItem> itemOf(const Subject* subject);
  std::shared_ptr<WorkItem> currentItem() { return itemOf(scene.subject()); }
  // What a message of the command line's says in a window; one that is still there is not shown twice.
  void sayOnce(MessageKind kind, const std::string& text, ErrorKind error = ErrorKind::kRuntime);
  void adopt(OpenedSubject opened);
  void adoptWaiting(std::vector<OpenedSubject> photos);
  void readShownPhoto(const Subject* subject);
  void replace(const std::shared_ptr<WorkItem>& item, OpenedSubject opened);
  void addTake(const std::string& name, Take take);
  void remember(const std::filesystem::path& path);
  void finishLater(const std::shared_ptr<WorkItem>& item);
  // What was picked and measured on another head is void then.
  void setHead(Subject& subject, std::shared_ptr<ShapedHead> head);
  Before stateOf(const WorkItem& item) const;
  void restore(const std::shared_ptr<WorkItem>& item, const Before& before);
  void endShownJob();  // the costs of a fit stay until the next job begins
  void requestPicture(const std::shared_ptr<WorkItem>& item, int frame);
  void showPicture(const std::shared_ptr<WorkItem>& item, int frame, std::shared_ptr<const Image8> picture,
                   const std::optional<PhotoLandmarks>& landmarks);
  bool isOpen(const Subject& subject) const;
  void addJob(const std::string& title, std::function<void(Session&)> work);
  void detectLater(const std::shared_ptr<WorkItem>& item);
  // Phases of runFit() as the user sees them.
  void beginFit(const std::shared_ptr<WorkItem>& item, const std::shared_ptr<const FitModel>& fit_model);
  void showStage(const std::shared_ptr<WorkItem>& item, Head record);
  void endFit(const std::shared_ptr<WorkItem>& item, const std::shared_ptr<const UnsavedFit>& fit);

  // ---- Any thread ----
  using Deliver = std::function<void(std::function<void()>)>;  // runs it on the main thread
  void load(const std::string& input, const std::string& model_name, Session& own, const Deliver& deliver);
  // Again when it was interrupted only because a job was given up; errors become messages, and false.
  bool tryToOpen(const std::string& input, const std::function<void()>& opening);
  void send(std::function<void()> closure) { queue.send(std::move(closure)); }
  void say(MessageKind kind, const std::string& text, ErrorKind error = ErrorKind::kRuntime);
  void tell(const ConsoleMessage& message);  // to the scene, but for progress
  // For a thread: its messages go to the scene; of progress, `on_progress` hears.
  Session sessionFor(std::function<void(const ConsoleMessage&)> on_progress);

  // ---- Thread of the jobs ----
  std::shared_ptr<const FitModel> fitModel(const std::string& name, Session& own);
  const FaceFinder& finder();
  DetectedFace detectFace(const std::shared_ptr<WorkItem>& item, const Photo& photo, Session& own);
  void runFit(const std::shared_ptr<WorkItem>& item, const FitRequest& request, const PhotoLandmarks& seen,
              std::shared_ptr<const Photo> photo, std::optional<DetectedFace> face, Session& own);
  void runTrack(const std::shared_ptr<WorkItem>& item, const FitRequest& request, Session& own);

  Scene& scene;
  Session& session;
  Actions actions;
  std::map<const Subject*, std::shared_ptr<WorkItem>> items;
  std::weak_ptr<Subject> worked_on;  // of the running job; when it is closed, the job ends
  bool job_shown = false;            // scene.job tells of a job, not of something that opens
  std::filesystem::path temporary;   // folder of tracked clips that are not saved yet

  Session prototype;  // of other threads' sessions
  std::atomic<bool> closing = false;
  std::mutex cancel_mutex;
  bool job_active = false;  // under cancel_mutex
  MainQueue queue;

  std::unique_ptr<FaceFinder> networks;  // of the jobs' thread, as is the next
  std::shared_ptr<const FitModel> last_model;

  WorkThread jobs, opener, picture_reader;  // last: they use the others
};

}  // namespace facet
