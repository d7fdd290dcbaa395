#pragma once

#include <vector>

#include "viewer/input.h"
#include "viewer/panels/export_panel.h"
#include "viewer/panels/panel.h"

namespace facet {

// What the keys do that were pressed in this frame, while no text is being typed.
void handleShortcut(PanelContext& context, const InputEvent& key, ExportPanel& export_panel);

}  // namespace facet
