# LibTorch as one INTERFACE target, ranktide_libtorch, made from the files of a torch wheel or a LibTorch archive.
# Not TorchConfig.cmake: for a CUDA build that demands a CUDA toolkit, which compiling against the headers does not need.
# Looks at -DLIBTORCH_ROOT, then the environment's LIBTORCH_ROOT, then the tree's private Python environment (.env).
# Sets LibTorch_FOUND, LibTorch_VERSION, LibTorch_ROOT_DIR.

# The oldest that this is written for. Tested is 2.13.0. tools/check_gpu.sh built lm, train and check and passed on a CPU with
# 2.11.0's libtorch_cpu and with 2.12.0's CUDA wheel too; the rest of worker/trainer compiles against 2.11's headers.
set(LIBTORCH_MINIMUM 2.11)
set(LIBTORCH_REMEDY "Set -DLIBTORCH_ROOT=<folder that holds include/ and lib/> (a torch wheel's `torch` folder will do), \
run ./bootstrap, or build without the trainer: -DRANKTIDE_TRAINER=OFF.")

set(LIBTORCH_ROOT "" CACHE PATH "Folder with LibTorch's include/ and lib/; empty: environment, then .env")
set(LibTorch_ROOT_DIR "${LIBTORCH_ROOT}")
if(NOT LibTorch_ROOT_DIR AND DEFINED ENV{LIBTORCH_ROOT})
  set(LibTorch_ROOT_DIR "$ENV{LIBTORCH_ROOT}")
endif()
if(NOT LibTorch_ROOT_DIR)
  file(GLOB LIBTORCH_CANDIDATES ${RANKTIDE_ROOT}/.env/lib/python3*/site-packages/torch)
  if(LIBTORCH_CANDIDATES)
    list(GET LIBTORCH_CANDIDATES 0 LibTorch_ROOT_DIR)
  endif()
endif()
if(NOT LibTorch_ROOT_DIR)
  message(FATAL_ERROR "LibTorch was not found. ${LIBTORCH_REMEDY}")
endif()

# Some builds of the wheel lack most headers; say what is absent, instead of failing in the first .cpp file or when linking.
set(LIBTORCH_ABSENT "")
foreach(file include/ATen/core/Tensor.h include/ATen/ops/addmm.h include/c10/core/Device.h lib/libtorch.so lib/libtorch_cpu.so lib/libc10.so)
  if(NOT EXISTS ${LibTorch_ROOT_DIR}/${file})
    list(APPEND LIBTORCH_ABSENT ${file})
  endif()
endforeach()
# The numbers moved from the second place to the first in the course of 2.x.
find_file(LIBTORCH_VERSION_HEADER version.h NO_DEFAULT_PATH NO_CACHE
          PATHS ${LibTorch_ROOT_DIR}/include/torch/headeronly ${LibTorch_ROOT_DIR}/include/torch/csrc/api/include/torch)
if(NOT LIBTORCH_VERSION_HEADER)
  list(APPEND LIBTORCH_ABSENT include/torch/version.h)
endif()
if(LIBTORCH_ABSENT)
  list(JOIN LIBTORCH_ABSENT ", " LIBTORCH_ABSENT)
  message(FATAL_ERROR "LibTorch in ${LibTorch_ROOT_DIR} lacks ${LIBTORCH_ABSENT}. "
                      "Another build of the same version may have them. ${LIBTORCH_REMEDY}")
endif()

file(STRINGS ${LIBTORCH_VERSION_HEADER} LIBTORCH_VERSION_LINES REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3"
       LibTorch_VERSION "${LIBTORCH_VERSION_LINES}")
if(LibTorch_VERSION VERSION_LESS LIBTORCH_MINIMUM)
  message(FATAL_ERROR "LibTorch in ${LibTorch_ROOT_DIR} is ${LibTorch_VERSION}; ${LIBTORCH_MINIMUM} or later is needed. "
                      "${LIBTORCH_REMEDY}")
endif()

# The wheel brings its own OpenMP runtime. A second one in the process means two thread pools, so the bundled file is
# linked by path where its name is not the plain one, and nothing is linked with -fopenmp.
file(GLOB LIBTORCH_GOMP ${LibTorch_ROOT_DIR}/lib/libgomp*.so* ${LibTorch_ROOT_DIR}/../torch.libs/libgomp*.so*)
file(GLOB LIBTORCH_CUDA ${LibTorch_ROOT_DIR}/lib/libtorch_cuda.so ${LibTorch_ROOT_DIR}/lib/libc10_cuda.so)

if(NOT TARGET ranktide_libtorch)
  add_library(ranktide_libtorch INTERFACE)
  target_include_directories(ranktide_libtorch SYSTEM INTERFACE
    ${LibTorch_ROOT_DIR}/include ${LibTorch_ROOT_DIR}/include/torch/csrc/api/include)
  target_compile_features(ranktide_libtorch INTERFACE cxx_std_20)
  # libtorch.so is a stub whose needed libraries register the devices: the linker must not drop it.
  target_link_libraries(ranktide_libtorch INTERFACE
    -Wl,--no-as-needed ${LibTorch_ROOT_DIR}/lib/libtorch.so ${LibTorch_ROOT_DIR}/lib/libtorch_cpu.so
    ${LibTorch_ROOT_DIR}/lib/libc10.so ${LIBTORCH_CUDA} ${LIBTORCH_GOMP} -Wl,--as-needed)
  target_link_options(ranktide_libtorch INTERFACE -Wl,-rpath,${LibTorch_ROOT_DIR}/lib)
endif()
message(STATUS "LibTorch ${LibTorch_VERSION} in ${LibTorch_ROOT_DIR}")
set(LibTorch_FOUND TRUE)
