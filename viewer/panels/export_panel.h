#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "viewer/panels/panel.h"

namespace facet {

// All that facet export can do, for the head that is shown.
class ExportPanel {
 public:
  void draw(PanelContext& context);
  // The button's work, if nothing stands against it.
  void run(PanelContext& context);
  ExportRequest request;

 private:
  const ExportFormatInfo* format(const Actions& actions) const;
  // Why it cannot be exported as chosen; empty = it can.
  std::string objection(const PanelContext& context) const;
  void followSubject(const PanelContext& context);
  void followWork(const PanelContext& context);
  void drawPlace(PanelContext& context, const ExportFormatInfo& info);
  void drawContents(const ExportFormatInfo& info);
  void drawTake(PanelContext& context, const ExportFormatInfo& info);
  void setExtension(const std::string& extension);

  // Another file than the one that may be overwritten: it has to be asked about anew.
  void forgetOverwrite();

  std::string path_;                 // as typed
  std::string overwrite_of_;         // the path that request.overwrite is about
  std::weak_ptr<Subject> named_of_;  // the subject that path_ was made for, and its name
  std::string named_;
  std::string running_;  // the path that is being written; empty = none
  std::filesystem::file_time_type written_before_{};
  std::string exported_;  // the path that was written, until it is asked for again
};

}  // namespace facet
