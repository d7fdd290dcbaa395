# FACET_CUDA: AUTO = where a CUDA compiler is found, ON = required, OFF = never. Sets FACET_HAS_CUDA. A build with
# CUDA runs on a machine without a device too; it is asked for at run time.
set(FACET_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, ON or OFF")
set_property(CACHE FACET_CUDA PROPERTY STRINGS AUTO ON OFF)

set(FACET_HAS_CUDA OFF)
if(NOT FACET_CUDA STREQUAL "OFF")
  # The toolkit's default place is on few people's PATH.
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(FACET_NVCC nvcc PATHS /usr/local/cuda/bin)
    mark_as_advanced(FACET_NVCC)
    if(FACET_NVCC)
      set(ENV{CUDACXX} ${FACET_NVCC})
    endif()
  endif()
  # Turing to Hopper. The compiler's own default would be a single old one, and `native` is an error on a machine
  # without a device.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90)
  endif()
  include(CheckLanguage)
  check_language(CUDA)  # in a project of its own: a broken toolkit only means a build without CUDA
  find_package(CUDAToolkit 11.8 QUIET)
  if(CMAKE_CUDA_COMPILER AND CUDAToolkit_FOUND)
    enable_language(CUDA)
    set(FACET_HAS_CUDA ON)
  elseif(FACET_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FACET_CUDA is ON, but no working CUDA toolkit of version 11.8 or later was found; "
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
