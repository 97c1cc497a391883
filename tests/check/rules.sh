#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Rules of the source tree that a compiler doesn't check, one line of result each.
#   rules.sh [TREE]        checks a tree (default: this one); exit 1 if a rule is broken
#   rules.sh --self-test   proves that each rule can fail, on a tree made for it
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
self=$here/tests/check/rules.sh

# Files of the tree: what git knows or would know; everything in a tree without git.
files() {
	if git -C "$tree" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$tree" ls-files --cached --others --exclude-standard
	else
		(cd "$tree" && find . -type f | sed 's:^\./::')
	fi | sort -u | while read -r f; do [ -f "$tree/$f" ] && echo "$f"; done
}

# file:line:text of C code without comments, for the files on stdin.
code() {
	(cd "$tree" && xargs -r awk '{
		text = $0
		gsub(/\/\*.*\*\//, "", text)
		sub(/\/\/.*/, "", text)
		print FILENAME ":" FNR ":" text
	}')
}

c_files() { files | grep -E '\.(c|h|def)$' | grep -E "$1"; }

# What a stage must not do, and neither may anything that runs once a packet.
slow='(m|c|re|rte_z?m|rte_c|rte_re|aligned_)alloc|alloca|free|rte_free|str(n)?dup|f?printf|puts|perror|syslog'
slow+='|log_(msg|error|warn|notice|info|debug)|rte_log|RTE_LOG|read|write|readv|writev|send|sendto|sendmsg'
slow+='|recv|recvfrom|recvmsg|open|openat|close|ioctl|socket|connect|accept|poll|select|epoll_wait|mmap'
slow+='|clock_gettime|gettimeofday|time|usleep|nanosleep|sleep|rte_delay_[um]s|getpid|pthread_[a-z_]+'
slow+='|rte_spinlock_[a-z_]+|rte_rwlock_[a-z_]+|abort|exit|assert|getrandom|rand|random'

# lib/esp/sa.c makes and wipes SAs for the control thread; no packet meets it.
no_slow_calls() {
	c_files '^(pipelines/(stages/|runner\.c|[a-z_]+\.h)|lib/(esp|rtp|tier)/)' | grep -v "^lib/esp/sa\.c\$" | code |
		grep -E ":.*(^|[^A-Za-z0-9_>.])($slow) *\(" |
		grep -vE "^lib/[^:]*:[0-9]+:.*__attribute__|:[0-9]+:[[:space:]]*(static_assert|_Static_assert)\("
}

lib_is_pure() {
	local theirs name
	theirs=$(files | grep -E '^(pipelines|app)/.*\.h$')
	c_files '^lib/' | code | grep -E '^[^:]*:[0-9]+:[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
		while IFS= read -r line; do
			name=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$line")
			if [[ $name =~ (^|/)(pipelines|app)/ ]]; then
				echo "$line"
			elif [ ! -f "$tree/lib/$name" ] && [ ! -f "$tree/$(dirname "${line%%:*}")/$name" ] &&
				grep -qE "(^|/)${name//./\\.}\$" <<<"$theirs"; then
				echo "$line"
			fi
		done
}

pipelines_below_app() {
	local theirs
	theirs=$(files | grep -E '^app/.*\.h$' | sed -E 'p; s:^app/[^/]+/::p; s:.*/::' | sort -u)
	c_files '^pipelines/' | code | grep -E ':[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
		while IFS= read -r line; do
			name=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$line")
			if [[ $name =~ (^|/)app/ ]] || { grep -qxF "$name" <<<"$theirs" &&
				[ ! -f "$tree/pipelines/$name" ] && [ ! -f "$tree/pipelines/stages/$name" ]; }; then
				echo "$line"
			fi
		done
}

stages_apart() {
	c_files '^pipelines/stages/' | code |
		grep -E ':[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]*/)?(stages/[^"]*|[^"]*\.c)"'
}

no_tag_memcmp() {
	c_files '^lib/(esp|crypto)/' | code | grep -E '(^|[^A-Za-z0-9_])(memcmp|bcmp|strcmp)[[:space:]]*\(' |
		grep -vE '^lib/crypto/suite\.c:'
}

banned_functions() { # in the product; tests may run commands
	c_files '^(lib|pipelines|app)/' | code | grep -E '(^|[^A-Za-z0-9_.>])(strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|mktemp|tmpnam|asctime|ctime|system|popen)[[:space:]]*\('
}

spdx() {
	files | grep -vE '(^|/)(LICENSE|\.gitignore|\.gitattributes|\.clang-format|[^/]*\.(md|txt|json|pcap|wav|bin|vec|dict|psk))$|^tests/(vectors|fuzz/corpus)/' |
		(cd "$tree" && xargs -r awk '
			FNR == 1 { if (name != "" && !seen) print name; name = FILENAME; seen = 0 }
			FNR <= 5 && /SPDX-License-Identifier: / { seen = 1 }
			END { if (name != "" && !seen) print name }') |
		sed 's/$/: no SPDX-License-Identifier in its first five lines/'
}

no_private_paths() {
	files | grep -v '^tests/check/rules\.sh$' |
		(cd "$tree" && xargs -r grep -nHE '/(work|home|root)/[a-z.]|/tmp/team')
}

short_files() {
	c_files . | grep -E '\.[ch]$' | while read -r f; do
		n=$(wc -l <"$tree/$f")
		[ "$n" -lt 500 ] || echo "$f: $n lines; below 500 is right, split it by concern"
	done
}

no_leftovers() {
	files | grep -v '^tests/check/rules\.sh$' |
		(cd "$tree" && xargs -r grep -nHE '\b(TODO|FIXME|XXX)\b')
}

drops_counted() { # every drop reason is used somewhere, every reason used is declared
	[ -f "$tree/pipelines/drops.def" ] || return 0
	local declared used
	declared=$(sed -nE 's/^DROP\(([A-Z_0-9]+),.*/\1/p' "$tree/pipelines/drops.def" | sort -u)
	used=$(c_files '^(pipelines|app)/' | grep -v 'drops\.def' | code |
		grep -oE '\bDROP_[A-Z0-9_]+' | sed 's/^DROP_//' | sort -u)
	comm -23 <(echo "$declared") <(echo "$used") | sed 's,^,pipelines/drops.def: nothing drops by ,;/ $/d'
}

rules="no_slow_calls lib_is_pure pipelines_below_app stages_apart no_tag_memcmp banned_functions spdx
no_private_paths short_files no_leftovers drops_counted"

check() {
	local rule found failed=0
	for rule in $rules; do
		found=$($rule)
		if [ -n "$found" ]; then
			failed=$((failed + 1))
			echo "FAIL rules/$rule:"
			echo "${found//$'\n'/$'\n'    }" | sed '1s/^/    /'
		else
			echo "PASS rules/$rule"
		fi
	done
	return $((failed > 0))
}

# bad RULE FILE LINE...: a clean tree with one bad file breaks exactly that rule.
bad() {
	local rule=$1 file=$2 out
	shift 2
	tree=$(mktemp -d)
	mkdir -p "$tree/$(dirname "$file")" "$tree/app/trunklined/config" "$tree/pipelines/stages" "$tree/lib/esp"
	spdx_line='// SPDX-License-Identifier: BSD-3-Clause'
	printf '%s\n' "$spdx_line" >"$tree/app/trunklined/config/config.h"
	printf '%s\n' "$spdx_line" >"$tree/pipelines/worker.h"
	printf '%s\n' "$spdx_line" '#include "worker.h"' '// malloc(1) in a comment' \
		'int a(void) { return m->free(1); }' >"$tree/pipelines/stages/good.c"
	if [ "$rule" = spdx ]; then
		printf '%s\n' "$@" >"$tree/$file"
	else
		printf '%s\n' "$spdx_line" "$@" >"$tree/$file"
	fi
	out=$("$self" "$tree")
	rm -rf "$tree"
	if [ "$(grep -oE '^FAIL rules/[a-z_]+' <<<"$out")" = "FAIL rules/$rule" ]; then
		proved=$((proved + 1))
	else
		echo "FAIL rules/self-test: $rule does not see: $*"
		grep -A2 FAIL <<<"$out"
		missed=$((missed + 1))
	fi
}

self_test() {
	local proved=0 missed=0 t
	for t in 'p = malloc(4);' 'p = rte_zmalloc("x", 1, 0);' 'printf("x");' 'log_warn("x");' \
		'write(1, b, 1);' 'clock_gettime(0, &t);' 'usleep(1);' 'pthread_mutex_lock(&l);' \
		'if (!free(p))'; do
		bad no_slow_calls pipelines/stages/x.c "$t"
	done
	bad no_slow_calls pipelines/runner.c 'x = calloc(1, 2);'
	bad no_slow_calls lib/esp/esp.c 'puts("x");'
	bad lib_is_pure lib/esp/esp.c '#include "pipelines/worker.h"'
	bad lib_is_pure lib/esp/esp.c '#include "worker.h"'
	bad lib_is_pure lib/esp/esp.c '#include "config/config.h"'
	bad lib_is_pure lib/esp/esp.c '#include "../../app/trunklined/config/config.h"'
	bad pipelines_below_app pipelines/trace.c '#include "config/config.h"'
	bad pipelines_below_app pipelines/trace.c '#include "../app/trunklined/config/config.h"'
	bad stages_apart pipelines/stages/x.c '#include "good.c"'
	bad stages_apart pipelines/stages/x.c '#include "stages/good.h"'
	bad no_tag_memcmp lib/esp/esp.c 'if (memcmp(tag, icv, 16))'
	for t in 'strcpy(a, b);' 'sprintf(a, "b");' 'x = atoi(a);' 'strtok(a, b);'; do
		bad banned_functions app/trunklined/x.c "$t"
	done
	bad spdx app/trunklined/x.c 'int x;'
	bad spdx tests/lab/x.py 'import os'
	bad no_private_paths docs/x.md "see /wo""rk/x"
	bad short_files lib/esp/long.c "$(seq -f '// %g' 500)"
	bad no_leftovers lib/esp/x.c "// TO""DO: later"
	bad drops_counted pipelines/drops.def 'DROP(NEVER, "never", "x")'
	[ "$missed" -eq 0 ] && echo "PASS rules/self-test: $proved broken trees, each seen by its rule alone"
	return $((missed > 0))
}

if [ "${1:-}" = --self-test ]; then
	self_test
else
	tree=$(cd "${1:-$here}" && pwd)
	check
fi
