complete --keep-order --exclusive --command oneclick --arguments "(COMPLETE=fish oneclick -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
