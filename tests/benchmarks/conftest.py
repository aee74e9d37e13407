GROUP = "unmeasured"
