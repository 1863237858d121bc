# One way to declare a library, a program and a test, so that every target gets the same treatment.
find_package(Threads REQUIRED)
get_filename_component(RANKTIDE_ROOT ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)  # whoever includes this

# ranktide_library(NAME SOURCES a.cpp ... [USES targets...] [PRIVATELY targets...])
# USES is what the headers show; PRIVATELY is what only the .cpp files see. Each arrow of the include table is one of them.
function(ranktide_library name)
  cmake_parse_arguments(L "" "" "SOURCES;USES;PRIVATELY" ${ARGN})
  if(L_SOURCES)
    add_library(${name} STATIC ${L_SOURCES})
    target_include_directories(${name} PUBLIC ${RANKTIDE_ROOT})
    target_link_libraries(${name} PUBLIC ${L_USES} PRIVATE ${L_PRIVATELY})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${RANKTIDE_ROOT})
    target_link_libraries(${name} INTERFACE ${L_USES})
  endif()
endfunction()

# Of the five places that a test preset gives away on two cores a test takes two, and one that mostly waits, for a lease,
# a timeout or another process to come up, takes one: two that compute and one that waits, one and three, or five that wait.
set(RANKTIDE_PLACES_OF_A_TEST 2)

# ranktide_test(NAME SOURCES a_test.cpp ... USES targets... [LABELS nightly] [TIMEOUT seconds] [WAITS])
# One GoogleTest program, one CTest entry. Tests find the tree through RANKTIDE_SOURCE_DIR and the shared data, where it
# exists, through RANKTIDE_SHARED_DATA (a test that needs it and finds none skips with a message).
function(ranktide_test name)
  cmake_parse_arguments(T "WAITS" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  # What a test does itself runs once; optimising it took half of its compile time.
  target_compile_options(${name} PRIVATE -O0)
  target_precompile_headers(${name} REUSE_FROM ranktide_test_headers)
  target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)  # ccache asks for it
  target_link_libraries(${name} PRIVATE ${T_USES} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE RANKTIDE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             RANKTIDE_BUILD_DIR="${PROJECT_BINARY_DIR}"
                                             RANKTIDE_SHARED_DATA="${RANKTIDE_SHARED_DATA}")
  add_test(NAME ${name} COMMAND ${name})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 1200)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT})
  if(NOT T_WAITS)
    set_tests_properties(${name} PROPERTIES PROCESSORS ${RANKTIDE_PLACES_OF_A_TEST})
  endif()
  if(T_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}")
  endif()
endfunction()

set(RANKTIDE_SHARED_DATA "${PROJECT_SOURCE_DIR}/../shared/data" CACHE PATH "Folder with the shared data sets; may be absent")
