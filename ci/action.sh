#!/usr/bin/env bash
# The one step of action.yml: install embaudit, compare, hand over what came of it.
#
# Until the end the verdict is "error", and whatever ends the script passes through `finish`: nothing
# that fails, or does not happen, can look like a comparison that was met. For bash 3.2 and later.
#
# shellcheck disable=SC2317 # functions that a trap or another function is given the name of
set -euo pipefail
# The runner reads both streams for workflow commands, in no order: one stream keeps it.
exec 2>&1

token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
if [ "${#token}" -ne 32 ]; then
    echo "::error title=embaudit::no random numbers to be had from /dev/urandom"
    exit 2
fi
work=$RUNNER_TEMP/embaudit-$token
report=$work/report.md
json=$work/audit.json
annotations=$work/annotations.txt
summary_limit=1000000 # bytes; GitHub drops a summary above 1 MiB
verdict=error
reason="embaudit did not finish"
complete="" # whether embaudit has written its report, and the verdict is known
stopped=""

# Write an output of the step; nobody can have put the delimiter into the value.
output() {
    printf '%s<<%s\n%s\n%s\n' "$1" "$token" "$2" "$token" >> "$GITHUB_OUTPUT"
}

# Run a command whose text may come from anywhere, and must not be read as workflow commands.
guarded() {
    local status=0
    stopped=yes
    printf '::stop-commands::%s\n' "$token"
    "$@" || status=$?
    resume || status=$?
    return "$status"
}

resume() {
    # A process that was killed may have left its line open.
    printf '\n::%s::\n' "$token" && stopped=""
}

annotate() {
    local text=${1//\%/%25}
    printf '::error title=embaudit::%s\n' "$text"
}

# Write a report for a run that left none.
explain() {
    # Four spaces make code, which a single line cannot break out of.
    printf '### ❌ embaudit: error\n\n**No comparison came to its end: exit status %s.**\n\n    %s\n' \
        "$1" "$2" > "$report"
}

summarize() {
    local size
    size=$(wc -c < "$report")
    if [ "$size" -le "$summary_limit" ]; then
        cat "$report" >> "$GITHUB_STEP_SUMMARY"
    else
        {
            head -c "$summary_limit" "$report" | sed '$d' &&
                printf '\n</details>\n\nThe rest is left out: the report has %d bytes.\n' "$size"
        } >> "$GITHUB_STEP_SUMMARY"
    fi
}

# What failed after the comparison counts as much as the comparison.
lapse() {
    verdict=error
    fail
    annotate "$1"
}

# 0, 1 and 3 are said of a verdict.
fail() {
    case $status in 0 | 1 | 3) status=2 ;; esac
}

finish() {
    status=$?
    trap - EXIT
    set +e
    if [ -n "$stopped" ]; then resume; fi
    if [ "$verdict" = error ]; then fail; fi
    reason=${reason//[$'\r\n']/ }
    if [ -n "$complete" ]; then
        mv "$work/audit.md" "$report" || lapse "the report could not be moved to its place"
        cat "$annotations" || lapse "the annotations could not be read"
    else
        explain "$status" "$reason" || lapse "the report could not be written"
        json=""
    fi
    if [ "$status" -ne 0 ] && ! { [ -n "$complete" ] && grep -q '^::error ' "$annotations"; }; then
        annotate "$reason"
    fi
    summarize || lapse "the step summary could not be written"
    {
        output report "$report" && output json "$json" && output exit-code "$status" &&
            output verdict "$verdict"
    } || lapse "the outputs of the step could not be written"
    exit "$status"
}

# Say what an exit status means where embaudit has said nothing itself.
meaning() {
    local last=""
    if [ -f "$work/errors.txt" ]; then
        last=$(LC_ALL=C tr -d '\000-\010\013-\037\177' < "$work/errors.txt" |
            LC_ALL=C awk 'NF { last = $0 } END { print last }')
        last=${last#error: }
    fi
    if [ "$1" -gt 128 ]; then
        last="ended by signal $(($1 - 128))${last:+: $last}"
    fi
    printf '%s' "${last:-embaudit ended with exit status $1 and left no report}"
}

install() {
    local python=${EMBAUDIT_PYTHON:-python3}
    reason="$python: no Python 3.11 or later; run actions/setup-python before, or set the input python"
    # -I and -P: what lies in the working directory is not imported.
    "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || return
    reason="embaudit could not be installed; the log of the step says why"
    "$python" -I -m venv --clear "$environment" || return
    find_programs
    "$programs/python" -P -m pip install --quiet --disable-pip-version-check \
        "${GITHUB_ACTION_PATH}[hdf5,html]" || return
    "$programs/embaudit" --version || return
    : > "$environment/installed"
}

find_programs() {
    programs=$environment/bin
    if [ -d "$environment/Scripts" ]; then programs=$environment/Scripts; fi # Windows
}

# Call a function with each line of a text, trimmed; empty ones are left out.
each_line() {
    local line
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        if [ -n "$line" ]; then "$1" "$line"; fi
    done <<< "$2"
}

add_output() {
    words+=("--output=$1")
}

# Add an option as `--name value` or `--name=value`: one word, the value as it stands.
add_argument() {
    local name=${1%%[[:space:]]*} value
    case $name in
        "$1" | *=*) words+=("$1") ;;
        -*)
            value=${1#"$name"}
            words+=("$name=${value#"${value%%[![:space:]]*}"}")
            ;;
        *) words+=("$1") ;;
    esac
}

# Set `words` to the command line; --name=value keeps a value from being taken for an option.
command_line() {
    words=("$programs/embaudit")
    if [ -n "$EMBAUDIT_CONFIG" ]; then words+=("--config=$EMBAUDIT_CONFIG"); fi
    if [ -n "$EMBAUDIT_A" ]; then words+=(compare); else words+=(check); fi
    if [ -n "$EMBAUDIT_ON" ]; then words+=("--on=$EMBAUDIT_ON"); fi
    if [ -n "$EMBAUDIT_REQUIRE" ]; then words+=("--require=$EMBAUDIT_REQUIRE"); fi
    add_output "markdown=$work/audit.md"
    add_output "json=$json"
    add_output "github=$annotations"
    each_line add_output "$EMBAUDIT_OUTPUTS"
    each_line add_argument "$EMBAUDIT_ARGS"
    if [ -n "$EMBAUDIT_A" ]; then words+=(-- "$EMBAUDIT_A" "$EMBAUDIT_B"); fi
}

compare() {
    local status=0
    "${words[@]}" 2> "$work/errors.txt" || status=$?
    cat "$work/errors.txt" || return 2
    return "$status"
}

refuse() {
    reason=$1
    exit 2
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work"
# For a step that is killed.
explain 2 "$reason"
output verdict error
output report "$report"

if [ "${EMBAUDIT_A:+given}" != "${EMBAUDIT_B:+given}" ]; then
    refuse "give both a and b, or neither"
fi
if [ -z "$EMBAUDIT_A" ] && [ -n "$EMBAUDIT_ON$EMBAUDIT_REQUIRE" ]; then
    refuse "on and require are of a and b; for pairs of a file of settings set them there"
fi

# One environment for all uses of the action in a job: the runner empties the folder after it.
key=$(printf '%s' "$GITHUB_ACTION_PATH $EMBAUDIT_PYTHON" | cksum)
environment=$RUNNER_TEMP/embaudit-${key%% *}
if [ -f "$environment/installed" ]; then find_programs; else guarded install || exit 2; fi

# Git's bash on Windows would take `x.parquet::old` for a list of paths.
export MSYS_NO_PATHCONV=1 MSYS2_ARG_CONV_EXCL='*'
command_line
status=0
guarded compare || status=$?
if [ "$status" -gt 3 ] || ! [ -s "$work/audit.md" ] || ! [ -s "$annotations" ]; then
    reason=$(meaning "$status")
elif ! found=$("$programs/python" -I "$GITHUB_ACTION_PATH/ci/verdict.py" "$json" 2> /dev/null); then
    reason="the verdict could not be read"
else
    complete=yes
    if [ "$status" -ne 2 ]; then verdict=$found; fi
fi
exit "$status"
