# nlohmann/json where only its headers are, without the package's own CMake files.
find_path(JSON_INCLUDE nlohmann/json.hpp DOC "Folder that holds nlohmann/json.hpp")
if(NOT JSON_INCLUDE)
  message(FATAL_ERROR "nlohmann/json.hpp was not found. It is a library of headers: install nlohmann-json3-dev (Debian, \
Ubuntu) or json-devel (Fedora), or say where FOLDER/nlohmann/json.hpp lies, \
which is all that is needed: JSON_INCLUDE=FOLDER tools/check_gpu.sh, or -DJSON_INCLUDE=FOLDER for cmake.")
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED GLOBAL)
  target_include_directories(nlohmann_json::nlohmann_json INTERFACE ${JSON_INCLUDE})
endif()
set(nlohmann_json_FOUND TRUE)
