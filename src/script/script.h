/* script.h - Lua, the only place that includes it: scene files as data, read in a closed room.
 *
 * A scene file is text, sees a few harmless functions and no files, and is stopped when it takes too many
 * steps or too much memory. It runs once, when the scene is read; nothing of Lua lives on after that. */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H
#include "view/app.h"
#include "view/scene.h"

enum { SCRIPT_FILE_MAX = 1 << 20, SCRIPT_MEMORY = 16 << 20, SCRIPT_STEPS = 20 * 1000 * 1000 };

/* Reads one scene. Always a scene, with .error set when the file is missing or wrong; NULL: out of memory.
 * ud is not used. */
struct SceneDef *script_scene_load(const char *path, const char *name, void *ud);
SceneLoader script_scenes(void);
#endif
