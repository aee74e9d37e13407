# For `.`: run commands that Ctrl-C, SIGTERM and a closed terminal end at once, with all that they started.
running=
[ -e /proc/self/fd/0 ] || exec </dev/null # closed, as schedulers do
exec 3<&0 # what runs in the background gets no input otherwise
start() { setsid env --default-signal=INT "$@" <&3 3<&- & running="$running $!"; }
stop() { # $! too: a signal may come before what was started is noted
    trap "" INT TERM HUP
    for group in $running ${!-}; do kill -- "-$group" 2>/dev/null || kill "$group" 2>/dev/null || :; done
}
interrupted() {
    stop
    [ "${TERM-dumb}" = dumb ] || [ ! -t 2 ] || printf '\033[?25h' >&2 # a spinner hid the cursor
    echo >&2
    echo "scripts/${0##*/}: interrupted" >&2
    exit "$1"
}
trap stop EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'stop; exit 129' HUP # the terminal is gone
