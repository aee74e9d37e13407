# For `.`, before anything is installed or written: $root, and an end with 64 for what the script doesn't have.
# What it has stands in the comment at its head, in lines that begin with its name: `#   scripts/NAME ARGUMENTS  text`, up to
# two spaces. A word in capitals stands for any word, OPTION... and ARGUMENT... for anything. -h and --help print that comment; where
# $details is set and something is installed, $install is `:`, and the script's Python says more.
root=$(dirname "$(dirname "$(realpath "$0")")")
script=scripts/$(basename "$(realpath "$0")")
help() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$root/$script"; }
wrong() { echo "$script: $1. See $script --help" >&2; exit 64; }

install=$root/scripts/install
for word; do case $word in -h | --help)
    if [ "${details-}" ] && ls "$root"/.venv/installed-* >/dev/null 2>&1; then install=:; else help; exit; fi ;;
esac; done
why=$(help | awk -v script="$script" '
    function refuse(text) { print text; exit 1 }
    function has(line, word, i, words) {
        if (word == "-h" || word == "--help") return 1
        split(line, words, " +")
        for (i in words) if (words[i] == word || words[i] ~ /^(OPTION|ARGUMENT)\.\.\.$/ || (word !~ /^-/ && words[i] ~ /^[A-Z]+(\.\.\.)?$/)) return 1
    }
    BEGIN {
        given = ARGC - 1
        for (i = 1; i <= given; i++) { word[i] = ARGV[i]; sub(/=.*/, "", word[i]) }
        while ((getline line < "-") > 0) {
            if (index(line, "  " script " ") != 1 && line != "  " script) continue
            line = substr(line, length("  " script " ") + 1)
            sub(/^ .*/, "", line); sub(/  .*/, "", line); gsub(/[][|,]/, " ", line); sub(/^ +/, "", line)
            first = line; sub(/ .*/, "", first)
            if (first == word[1] && first ~ /^[a-z]/) { lines = line; break }
            if (first !~ /^[a-z]/) lines = lines " " line
            if (line == "") nothing = 1; else if (has(first, word[1])) begins = 1
        }
        if (lines !~ /^[a-z]/) {
            if (given == 0) if (nothing) exit; else refuse("says nothing of what to do")
            if (word[1] !~ /^-/ && !begins) refuse("no such command: " word[1])
        }
        for (i = 1; i <= given; i++) if (!has(lines, word[i])) refuse((word[i] ~ /^-/ ? "no such option: " : "unexpected: ") word[i])
    }' "$@") || wrong "$why"
