/* lua_ops.h - what the manual says of an op: its rows in api_ops have no words of their own, they are made from the table of ops. */
#ifndef SCRIPT_LUA_OPS_H
#define SCRIPT_LUA_OPS_H
#include "script/api.h"

/* Appends the signature ("(x: Tensor, from: integer, n: integer): Tensor") and a text of equation, doc and source. False: no such op. */
bool lua_op_describe(const char *name, Buf *signature, Buf *text);

/* lathe.op, and the same functions as methods of Tensor. */
extern const ApiClass api_ops, api_ops_methods;
#endif
