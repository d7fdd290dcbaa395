# FACET_CUDA: AUTO = where a CUDA compiler is found, ON = required, OFF = never. Sets FACET_HAS_CUDA. A build with
# CUDA runs on a machine without a device too; it is asked for at run time.
set(FACET_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, ON or OFF")
set_property(CACHE FACET_CUDA PROPERTY STRINGS AUTO ON OFF)

set(FACET_HAS_CUDA OFF)
if(NOT FACET_CUDA STREQUAL "OFF")
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(FACET_NVCC nvcc PATHS /usr/local/cuda/bin)
    mark_as_advanced(FACET_NVCC)
    if(FACET_NVCC)
      set(CMAKE_CUDA_COMPILER ${FACET_NVCC})
    endif()
  endif()
  # Turing to Hopper, and PTX for what comes after. The compiler's own default would be a single old one, and
  # `native` is an error on a machine without a device.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90)
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 11.8)
      message(STATUS "FACET_CUDA: nvcc ${CMAKE_CUDA_COMPILER_VERSION} is too old, 11.8 is needed")
    else()
      set(FACET_HAS_CUDA ON)
    endif()
  endif()
  if(FACET_CUDA STREQUAL "ON" AND NOT FACET_HAS_CUDA)
    message(FATAL_ERROR "FACET_CUDA is ON, but no CUDA compiler of version 11.8 or later was found; "
      "set CMAKE_CUDA_COMPILER, or use -DFACET_CUDA=OFF")
  endif()
endif()
message(STATUS "CUDA backend: ${FACET_HAS_CUDA}")

# Host warnings for .cu files. 554: a conversion of a type to itself, in templates of T and const T.
# --fmad=false: ids are equal to the CPU's only if depths are, and those only without contraction.
function(facet_cuda_options target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--fmad=false -diag-suppress=554 -Xcompiler=-Wall,-Wextra
      $<$<BOOL:${FACET_WERROR}>:-Werror=all-warnings>>)
  set_target_properties(${target} PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON)
endfunction()
