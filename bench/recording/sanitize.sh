#!/bin/bash
# Runs the recorder's tests, fuzzer and leak check with extensions in C that find their own invalid accesses and undefined
# behaviour (AddressSanitizer, UndefinedBehaviorSanitizer). Needs gcc with both, and pytest.
#
#     bench/recording/sanitize.sh                          # ten minutes, of which the fuzzer takes what the others leave
#     bench/recording/sanitize.sh 60 ~/py313/bin/python    # sixty, with another interpreter
#
# Works in a temporary copy of the tree. Exit code 1 if a sanitizer reports anything, or anything fails.
set -uo pipefail

minutes=${1:-10}
python=${2:-python3}
root=$(cd "$(dirname "$0")/../.." && pwd)
python=$(command -v "$python") || { echo "no such interpreter: ${2:-python3}"; exit 1; }
case $python in /*) ;; *) python=$PWD/$python ;; esac
end=$((SECONDS + minutes * 60))
copy=$(mktemp -d "${TMPDIR:-/tmp}/foretrace-XXXXXX")
trap 'rm -rf "$copy"' EXIT

cp -R "$root"/{setup.py,pyproject.toml,README.md,LICENSE,src,tests,bench} "$copy" && cd "$copy" || exit 1
find . -name '*.so' -delete
mkdir reports
sed -i 's/"-O3"/"-O1"/' setup.py
# Children of the tests need the sanitizer's library too, and no limit on addresses, which it cannot bear.
sed -i 's/environment = {"PATH"/environment = os.environ | {"PATH"/' src/foretrace/sandbox/backend.py
sed -i '/resource.RLIMIT_AS/d' src/foretrace/sandbox/server.py
# And what they report must be written, from within the sandbox and by another user too.
chmod 777 reports
sed -i "s#\[jobs, os.devnull\]#[jobs, os.devnull, '$copy/reports']#" src/foretrace/sandbox/server.py
flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
CFLAGS=$flags "$python" setup.py -q build_ext --inplace > build.log 2>&1
for module in record/_recorder trace/_binary; do
    if ! grep -qs __asan_init src/foretrace/$module.*.so; then
        cat build.log
        echo "foretrace/$module could not be built"
        exit 1
    fi
done

ulimit -s 65532 2>/dev/null  # frames are larger
export PYTHONPATH=$copy/src PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024:log_path=$copy/reports/asan
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$copy/reports/ubsan
libraries="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)"

failed=()
check() {  # name, arguments of Python
    local name=$1
    shift
    echo "== $name"
    LD_PRELOAD=$libraries "$python" -X dev "$@" > output.log 2>&1 || failed+=("$name")
    grep -v 'WARNING: AddressSanitizer\|^    #' output.log | tail -30
}

# Two of the tests crash the interpreter on purpose.
check tests -W ignore -m pytest -q -p no:cacheprovider -k 'not string_at and not crash_of_the_interpreter' tests/record
check leaks -W ignore bench/recording/leaks.py --events 20000 --sessions 500 --references
ASAN_OPTIONS=$ASAN_OPTIONS:soft_rss_limit_mb=4096  # what a program asks for may be too much; this takes a thread
left=$((end - SECONDS))
check fuzz -W ignore bench/recording/fuzz.py --memory 0 --programs 1000000000 --seed $RANDOM --seconds $((left > 10 ? left : 10))

reports=$(grep -lrE 'ERROR: AddressSanitizer|runtime error' reports)
for report in $reports; do
    head -60 "$report"
done
echo "$("$python" -V): ${#failed[@]} failed${failed[*]:+: ${failed[*]}}, $(wc -w <<< "$reports") reports of sanitizers"
[ ${#failed[@]} -eq 0 ] && [ -z "$reports" ]
