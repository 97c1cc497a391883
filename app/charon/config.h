// SPDX-License-Identifier: GPL-2.0-or-later
// What strongSwan's headers want to know of the build of the charon that loads the plugin, as Debian
// builds it. What changes a structure in those headers matters most: a plugin whose daemon_t or ike_sa_t
// differ from charon's crashes it.
#pragma once

#define CONFIG_H_INCLUDED 1

#define ME 1 // --enable-mediation: members of daemon_t and ike_sa_t

#define HAVE_ALLOCA_H 1
#define HAVE_CLOCK_GETTIME 1
#define HAVE_CONDATTR_CLOCK_MONOTONIC 1
#define HAVE_EXPLICIT_BZERO 1
#define HAVE_FMEMOPEN 1
#define HAVE_GCC_ATOMIC_OPERATIONS 1
#define HAVE_INT128 1
#define HAVE_MEMRCHR 1
#define HAVE_SIGWAITINFO 1
#define HAVE_STDBOOL_H 1
#define HAVE_SYS_PARAM_H 1
