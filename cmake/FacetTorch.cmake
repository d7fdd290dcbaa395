# FACET_TORCH: AUTO = where libtorch is found (Debian: libtorch-dev), ON = required, OFF = never. Sets FACET_HAS_TORCH.
set(FACET_TORCH AUTO CACHE STRING "Build the torch operators: AUTO, ON or OFF")
set_property(CACHE FACET_TORCH PROPERTY STRINGS AUTO ON OFF)

set(FACET_HAS_TORCH OFF)
if(FACET_TORCH STREQUAL "ON")
  find_package(Torch REQUIRED)
elseif(NOT FACET_TORCH STREQUAL "OFF")
  find_package(Torch QUIET)
endif()
if(Torch_FOUND)
  set(FACET_HAS_TORCH ON)
endif()
message(STATUS "torch operators: ${FACET_HAS_TORCH}")
