# facet_module(NAME fitting HEADERS fit.h SOURCES fit.cpp PUBLIC facet::core PRIVATE Ceres::ceres)
#
# One folder, one library: target facet_<name>, alias facet::<name>. Headers are included from the project's root
# (#include "core/mesh.h") and each of them is compiled alone, so that a header never relies on its neighbours.
add_library(facet_options INTERFACE)
target_compile_options(facet_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers
  $<$<BOOL:${FACET_WERROR}>:-Werror> $<$<BOOL:${FACET_NATIVE}>:-march=native>)

function(facet_module)
  cmake_parse_arguments(ARG "" "NAME" "HEADERS;SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(target facet_${ARG_NAME})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(facet::${ARG_NAME} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON EXPORT_NAME ${ARG_NAME})
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:facet_options>)
endfunction()
