/* lua_nn.h - attention and routers that a script wrote, as parts of a model (LmParts). nn.LM { ... } (lua/lathe/nn.lua) gives a table with
 * the keys of a config.json and, when attention or router is a class of the script, one key more, `parts`, which is no part of the config:
 * an object of type Parts. vocab_size is missing there unless the script gives it: it is the tokenizer's.
 *
 *	lua_getfield(L, model, "parts");
 *	start.parts = lua_nn_parts(L, -1);      NULL for nil: the model is all built-in
 *
 * Keep the object (a user value) as long as the run or model that was made with it. An error in the script is the tape's error, and
 * lua_forward_raise tells it. The same serves LmOptions.parts to open a checkpoint that such a model was saved as. */
#ifndef SCRIPT_LUA_NN_H
#define SCRIPT_LUA_NN_H
#include "model/lm.h"
#include "script/api.h"

const LmParts *lua_nn_parts(lua_State *L, int i);
extern const ApiClass api_nn, api_parts;
#endif
