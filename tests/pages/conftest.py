GROUP = "deployments"
