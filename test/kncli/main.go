// Command kncli is kn, the command line of Knative, for tests: Knative's own commands and its search for plugins, from the
// packages knative.dev/client/pkg. Only this file is not Knative's. The module of a released kn, knative.dev/client, requires
// a module that module proxies do not serve, so it cannot be built with the go command.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"knative.dev/client/pkg/config"
	"knative.dev/client/pkg/plugin"
	"knative.dev/client/pkg/root"
)

func main() {
	err := run(os.Args[1:])
	var plugged *exec.ExitError // which has printed its error
	switch {
	case errors.As(err, &plugged):
		os.Exit(plugged.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// run runs a plugin if there is one with the name of the command, or else a command of kn.
func run(args []string) error {
	if err := config.BootstrapConfig(); err != nil {
		return err
	}
	plugins := plugin.NewManager(config.GlobalConfig.PluginsDir(), config.GlobalConfig.LookupPluginsInPath())
	kn, err := root.NewRootCommand(plugins.HelpTemplateFuncs())
	if err != nil {
		return err
	}
	kn.SetArgs(args)
	if _, _, err := kn.Find(args); err == nil {
		return kn.Execute()
	}
	found, err := plugins.FindPlugin(words(args))
	if err != nil {
		return err
	}
	if found == nil {
		return kn.Execute() // for its error
	}
	return found.Execute(args[len(found.CommandParts()):])
}

// words returns the arguments before the first flag.
func words(args []string) []string {
	for i, arg := range args {
		if strings.HasPrefix(arg, "-") {
			return args[:i]
		}
	}
	return args
}
