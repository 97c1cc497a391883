// SPDX-License-Identifier: BSD-3-Clause
// The listening socket of the control API in the file system.
#pragma once

#include "base/err.h"

// A listening, non-blocking socket at path: see api_server_start. The file descriptor, or negative
// errno and a text.
int api_socket_open(const char *path, const char *group, struct err *err);
