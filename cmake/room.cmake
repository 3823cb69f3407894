# allot_room(NAME [USES rooms..] [TESTS_USE rooms..] [LIBS libraries..] [PROGRAM name])
#
# One folder under src/allot becomes one static library that links only what its row of the table
# allows. `x_test.cc` files become one test program per room; files in `testing/` are helpers for
# tests (of this room and of rooms that may use it) and never part of the product. Files in
# `kernels/` are the number kernels: torch-free, and compiled for this processor (ALLOT_NATIVE).
function(allot_room name)
  cmake_parse_arguments(ROOM "" "PROGRAM" "USES;TESTS_USE;LIBS" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/allot/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  set(helpers ${sources})
  set(main ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER helpers INCLUDE REGEX "/testing/[^/]*\\.cc$")
  list(FILTER main INCLUDE REGEX "/main\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/testing/|/main\\.cc$")

  set(target allot_${name})
  set(uses ${ROOM_USES})
  list(TRANSFORM uses PREPEND allot_)
  set(libs ${ROOM_LIBS})
  list(TRANSFORM libs PREPEND allot_dep_)
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    allot_compile_options(${target})
    # Number kernels: always optimized, and for this machine's processor where ALLOT_NATIVE.
    set(kernels ${sources})
    list(FILTER kernels INCLUDE REGEX "/kernels/[^/]*\\.cc$")
    set_source_files_properties(${kernels} PROPERTIES
      COMPILE_OPTIONS "-O3;$<$<BOOL:${ALLOT_NATIVE}>:-march=native>")
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} ${scope} ${uses} ${libs})

  if(ROOM_PROGRAM AND main)
    add_executable(${ROOM_PROGRAM} ${main})
    allot_compile_options(${ROOM_PROGRAM})
    target_link_libraries(${ROOM_PROGRAM} PRIVATE ${target})
    set_target_properties(${ROOM_PROGRAM} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  endif()

  if(NOT ALLOT_TESTS)
    return()
  endif()
  if(helpers)
    add_library(${target}_testing STATIC ${helpers})
    allot_compile_options(${target}_testing)
    target_link_libraries(${target}_testing PUBLIC ${target})
  endif()
  if(tests)
    add_executable(${target}_test ${tests})
    allot_compile_options(${target}_test)
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

function(allot_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-missing-field-initializers
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # false positives of GCC 12 on std::string
  if(ALLOT_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${ALLOT_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize-recover=all)  # undefined behaviour fails the test instead of printing a line
    target_link_options(${target} PUBLIC -fsanitize=${ALLOT_SANITIZE})
  endif()
endfunction()
