# allot_room(NAME [USES rooms..] [TESTS_USE rooms..] [LIBS libraries..] [PROGRAM name] [TOGETHER n]
#            [LIGHT])
#
# One folder under src/allot becomes one static library that links only what its row of the table
# allows. `x_test.cc` files become one test program per room; files in `testing/` are helpers for
# tests (of this room and of rooms that may use it) and never part of the product. Files in
# `kernels/` are the number kernels: torch-free, always optimized, and compiled once per instruction
# set (kernels/variant.h). TOGETHER: sources compiled at once where sources are (allot_unity). LIGHT:
# nothing in the room takes time, so the compiler need not take much either.
function(allot_room name)
  cmake_parse_arguments(ROOM "LIGHT" "PROGRAM;TOGETHER" "USES;TESTS_USE;LIBS" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/allot/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  set(helpers ${sources})
  set(main ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER helpers INCLUDE REGEX "/testing/[^/]*\\.cc$")
  list(FILTER main INCLUDE REGEX "/main\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/testing/|/main\\.cc$")
  set(kernels ${sources})
  list(FILTER kernels INCLUDE REGEX "/kernels/[^/]*\\.cc$")
  list(FILTER sources EXCLUDE REGEX "/kernels/[^/]*\\.cc$")

  set(target allot_${name})
  set(uses ${ROOM_USES})
  list(TRANSFORM uses PREPEND allot_)
  set(libs ${ROOM_LIBS})
  list(TRANSFORM libs PREPEND allot_dep_)
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    allot_compile_options(${target})
    allot_unity(${target} ${ROOM_TOGETHER})
    if(ROOM_LIGHT)
      allot_compile_quickly(${target})
    endif()
    allot_kernels(${target} ${kernels})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} ${scope} ${uses} ${libs})

  if(ROOM_PROGRAM AND main)
    add_executable(${ROOM_PROGRAM} ${main})
    allot_compile_options(${ROOM_PROGRAM})
    allot_compile_quickly(${ROOM_PROGRAM})
    target_link_libraries(${ROOM_PROGRAM} PRIVATE ${target})
    set_target_properties(${ROOM_PROGRAM} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  endif()

  if(NOT ALLOT_TESTS)
    return()
  endif()
  if(helpers)
    add_library(${target}_testing STATIC ${helpers})
    allot_compile_options(${target}_testing)
    allot_unity(${target}_testing)
    allot_compile_quickly(${target}_testing)
    target_link_libraries(${target}_testing PUBLIC ${target})
  endif()
  if(tests)
    add_executable(${target}_test ${tests})
    allot_compile_options(${target}_test)
    allot_unity(${target}_test)
    set(kernel_tests ${tests})
    list(FILTER kernel_tests INCLUDE REGEX "/kernels/")
    if(kernel_tests)  # as the kernels
      set_source_files_properties(${kernel_tests} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
    allot_compile_quickly(${target}_test)
    target_link_libraries(${target}_test PRIVATE ${target} allot_dep_gtest allot_dep_rapidcheck)
    foreach(room ${ROOM_TESTS_USE})
      target_link_libraries(${target}_test PRIVATE allot_${room})
    endforeach()
    foreach(room ${name} ${ROOM_USES} ${ROOM_TESTS_USE})
      if(TARGET allot_${room}_testing)
        target_link_libraries(${target}_test PRIVATE allot_${room}_testing)
      endif()
    endforeach()
    target_compile_definitions(${target}_test PRIVATE ALLOT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    if(ROOM_PROGRAM)  # its tests run the program as a user would
      target_compile_definitions(${target}_test PRIVATE
        ALLOT_PROGRAM="$<TARGET_FILE:${ROOM_PROGRAM}>")
      add_dependencies(${target}_test ${ROOM_PROGRAM})
    endif()
    add_test(NAME ${name} COMMAND ${target}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endfunction()

# allot_kernels(TARGET sources..): the builds of a room's kernels become part of its library.
function(allot_kernels target)
  if(NOT ARGN)
    return()
  endif()
  set(sets portable)
  set(options_portable -DALLOT_KERNEL_SET_IS_PORTABLE)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")  # as lm/instruction_set.cc asks the processor
    list(APPEND sets avx2 avx512)
    set(options_avx2 -mavx2 -mfma)
    set(options_avx512 ${options_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl
      -mprefer-vector-width=512)
  endif()
  set(objects)
  foreach(set ${sets})
    set(build ${target}_${set})
    add_library(${build} OBJECT ${ARGN})
    allot_compile_options(${build})
    target_include_directories(${build} PRIVATE ${CMAKE_SOURCE_DIR}/src)
    target_compile_options(${build} PRIVATE -O3 -DALLOT_KERNEL_SET=${set} ${options_${set}})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${build}>)
    list(APPEND objects $<TARGET_OBJECTS:${build}>)
  endforeach()
  if(ALLOT_TESTS AND NOT ALLOT_SANITIZE)
    add_test(NAME kernel_symbols COMMAND ${CMAKE_SOURCE_DIR}/scripts/check_kernel_symbols ${CMAKE_NM}
      ${objects} COMMAND_EXPAND_LISTS)
  endif()
endfunction()

# allot_unity(TARGET [COUNT]): with ALLOT_UNITY, compiles COUNT (16) sources at once. Names of a room's
# anonymous namespaces must then differ between its sources. The kernels stay single.
function(allot_unity target)
  set(count 16)
  if(ARGC GREATER 1)
    set(count ${ARGV1})
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${ALLOT_UNITY}
    UNITY_BUILD_BATCH_SIZE ${count})
  # GCC takes sources that are compiled together for headers, where a class may not have members
  # of an anonymous type.
  if(ALLOT_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# Takes a quarter to a third less to compile.
function(allot_compile_quickly target)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${target} PRIVATE -Og)
  endif()
endfunction()

function(allot_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-missing-field-initializers
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # false positives of GCC 12 on std::string
  if(ALLOT_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${ALLOT_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize-recover=all)  # undefined behaviour fails the test instead of printing a line
    target_link_options(${target} PUBLIC -fsanitize=${ALLOT_SANITIZE})
  endif()
endfunction()
