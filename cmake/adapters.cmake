# The program carries python/allot/adapters.json inside, so that `allot doctor` needs no file beside it.
set(_adapters ${CMAKE_SOURCE_DIR}/python/allot/adapters.json)
file(READ ${_adapters} ALLOT_ADAPTERS_FILE)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${_adapters})
configure_file(${CMAKE_SOURCE_DIR}/src/allot/app/adapters_file.h.in
  ${CMAKE_BINARY_DIR}/made/allot/app/adapters_file.h @ONLY)
target_include_directories(allot_app PRIVATE ${CMAKE_BINARY_DIR}/made)
