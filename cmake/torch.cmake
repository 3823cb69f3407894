# libtorch from the Python wheel `torch` (CPU or CUDA, 2.11 to 2.13), linked by its libraries and
# include folders. find_package(Torch) is avoided: with a CUDA wheel it asks for the CUDA toolkit.
# scripts/setup writes down whose torch it chose, .venv's own or that of the interpreter it was given.
set(_chosen ${CMAKE_SOURCE_DIR}/.venv/torch-python)
if(NOT ALLOT_PYTHON)
  if(EXISTS ${_chosen})
    file(STRINGS ${_chosen} ALLOT_PYTHON LIMIT_COUNT 1)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${_chosen})
  elseif(EXISTS ${CMAKE_SOURCE_DIR}/.venv/bin/python)
    set(ALLOT_PYTHON ${CMAKE_SOURCE_DIR}/.venv/bin/python)
  else()
    find_program(ALLOT_PYTHON python3 REQUIRED)
  endif()
endif()
execute_process(
  COMMAND ${ALLOT_PYTHON} -c "import importlib.util as u, importlib.metadata as m, os
s = u.find_spec('torch')
print(os.path.dirname(s.origin) + ';' + m.version('torch') if s else '')"
  OUTPUT_VARIABLE _torch OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT _torch)
  message(FATAL_ERROR "[cmake] ${ALLOT_PYTHON} has no torch; 2.11 to 2.13 is needed. "
                      "Hint: run scripts/setup, or configure with -DALLOT_TORCH=OFF.")
endif()
list(GET _torch 0 ALLOT_TORCH_DIR)
list(GET _torch 1 ALLOT_TORCH_VERSION)
if(NOT ALLOT_TORCH_VERSION MATCHES "^2\\.1[123]\\.")
  message(FATAL_ERROR "[cmake] torch ${ALLOT_TORCH_VERSION} was found; 2.11 to 2.13 is needed.")
endif()

# The wheel ships its own include/fmt, which would hide the system's. Only these four are exposed.
set(_links ${CMAKE_BINARY_DIR}/torch_include)
file(MAKE_DIRECTORY ${_links})
foreach(_part ATen c10 torch caffe2)
  if(EXISTS ${ALLOT_TORCH_DIR}/include/${_part})
    file(CREATE_LINK ${ALLOT_TORCH_DIR}/include/${_part} ${_links}/${_part} SYMBOLIC)
  endif()
endforeach()

add_library(allot_dep_torch INTERFACE)
target_include_directories(allot_dep_torch SYSTEM INTERFACE ${_links})
# Its headers then include the operations they need, not all two thousand.
target_compile_definitions(allot_dep_torch INTERFACE AT_PER_OPERATOR_HEADERS)
set(_lib ${ALLOT_TORCH_DIR}/lib)
target_link_libraries(allot_dep_torch INTERFACE ${_lib}/libtorch_cpu.so ${_lib}/libc10.so)
if(EXISTS ${_lib}/libtorch_cuda.so)
  target_link_options(allot_dep_torch INTERFACE
    "LINKER:--no-as-needed,${_lib}/libtorch.so,${_lib}/libtorch_cuda.so,${_lib}/libc10_cuda.so,--as-needed")
endif()
list(APPEND CMAKE_BUILD_RPATH ${_lib})
