# Outside libraries, each as one interface target allot_dep_<name>. scripts/setup installs them;
# nothing is downloaded here. ALLOT_DEPS is the folder of unpacked packages of a set-up without
# administrator rights.
set(ALLOT_DEPS "${CMAKE_SOURCE_DIR}/.deps/root" CACHE PATH "Unpacked system packages (no-root set-up)")
if(EXISTS ${ALLOT_DEPS})
  list(APPEND CMAKE_PREFIX_PATH ${ALLOT_DEPS}/usr)
  file(GLOB _multiarch ${ALLOT_DEPS}/usr/lib/*-linux-gnu)
  list(APPEND CMAKE_LIBRARY_PATH ${_multiarch})
  list(APPEND CMAKE_INCLUDE_PATH ${ALLOT_DEPS}/usr/include)
endif()
find_package(Threads REQUIRED)
# An indented line is shown as it is, so that it can be copied.
set(_install "Hint: run scripts/setup, or\n  sudo apt-get install --no-install-recommends")

# allot_header_dep(NAME FILE PACKAGE): a header-only library found by one of its headers.
function(allot_header_dep name file package)
  find_path(ALLOT_${name}_INCLUDE ${file})
  if(NOT ALLOT_${name}_INCLUDE)
    message(FATAL_ERROR "[cmake] ${file} was not found; ${package} is needed. ${_install} ${package}")
  endif()
  add_library(allot_dep_${name} INTERFACE)
  target_include_directories(allot_dep_${name} SYSTEM INTERFACE ${ALLOT_${name}_INCLUDE})
endfunction()

# allot_library_dep(NAME HEADER LIBRARY PACKAGE): a compiled library.
function(allot_library_dep name file library package)
  allot_header_dep(${name} ${file} ${package})
  find_library(ALLOT_${name}_LIBRARY ${library})
  if(NOT ALLOT_${name}_LIBRARY)
    message(FATAL_ERROR "[cmake] lib${library} was not found; ${package} is needed. ${_install} ${package}")
  endif()
  target_link_libraries(allot_dep_${name} INTERFACE ${ALLOT_${name}_LIBRARY})
endfunction()

allot_header_dep(nlohmann_json nlohmann/json.hpp nlohmann-json3-dev)
allot_header_dep(eigen eigen3/Eigen/Cholesky libeigen3-dev)
allot_header_dep(boost boost/multiprecision/cpp_int.hpp libboost-dev)
if(ALLOT_STORE OR ALLOT_TORCH)
  allot_library_dep(sqlite sqlite3.h sqlite3 libsqlite3-dev)
  allot_library_dep(pcre2 pcre2.h pcre2-8 libpcre2-dev)
  target_compile_definitions(allot_dep_pcre2 INTERFACE PCRE2_CODE_UNIT_WIDTH=8)
  allot_library_dep(utf8proc utf8proc.h utf8proc libutf8proc-dev)
  # The package's library is built with these three, and its classes have other members without them.
  allot_library_dep(httplib httplib.h cpp-httplib libcpp-httplib-dev)
  target_compile_definitions(allot_dep_httplib INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT
    CPPHTTPLIB_ZLIB_SUPPORT CPPHTTPLIB_BROTLI_SUPPORT)
  file(GLOB _multiarch_include ${ALLOT_DEPS}/usr/include/*-linux-gnu)  # openssl/configuration.h
  target_include_directories(allot_dep_httplib SYSTEM INTERFACE ${_multiarch_include})
  target_link_libraries(allot_dep_httplib INTERFACE Threads::Threads)
endif()
if(ALLOT_TORCH)
  include(torch)
  allot_library_dep(yaml yaml-cpp/yaml.h yaml-cpp libyaml-cpp-dev)
  allot_header_dep(cli11 CLI/CLI.hpp libcli11-dev)
  allot_library_dep(fmt fmt/format.h fmt libfmt-dev)
endif()
if(ALLOT_TESTS)
  allot_library_dep(gtest gtest/gtest.h gtest libgtest-dev)
  find_library(ALLOT_gtest_main_LIBRARY gtest_main REQUIRED)
  target_link_libraries(allot_dep_gtest INTERFACE ${ALLOT_gtest_main_LIBRARY} Threads::Threads)
  allot_library_dep(rapidcheck rapidcheck.h rapidcheck librapidcheck-dev)
endif()
