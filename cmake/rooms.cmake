# The table of rooms: each row is one CMake target, what it may use, and its outside libraries.
# TESTS_USE: rooms that only its tests may use.
# scripts/check_rooms reads this same table and fails on any include against it.
allot_room(core      LIBS nlohmann_json)
allot_room(methods   USES core LIBS eigen TOGETHER 8)  # methods are what people write, so less is compiled again
allot_room(objective USES core)
allot_room(loop      USES core)
allot_room(sim       USES core loop TESTS_USE methods)
allot_room(tasks     USES core loop LIBS boost nlohmann_json)
if(ALLOT_STORE OR ALLOT_TORCH)  # the Python package does without
  allot_room(text    USES core LIBS pcre2 utf8proc nlohmann_json)
  allot_room(store   USES core loop LIBS sqlite nlohmann_json LIGHT)
  allot_room(report  USES core store LIBS nlohmann_json LIGHT)
  allot_room(remote  USES core loop text TESTS_USE methods LIBS httplib nlohmann_json LIGHT)
endif()
if(ALLOT_TORCH)
  allot_room(lm      USES core LIBS torch nlohmann_json)
  allot_room(local   USES core loop objective lm text LIBS torch)
  allot_room(app     USES core methods objective loop sim tasks text lm local remote store report LIBS yaml nlohmann_json LIGHT)
  allot_room(cli     USES app report core TESTS_USE remote store text LIBS cli11 fmt PROGRAM allot LIGHT)
endif()
