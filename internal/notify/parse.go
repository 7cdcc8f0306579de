package notify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"imageflow.dev/internal/rules"
)

// ParseHooks returns the receivers by name. urls has name=URL pairs separated by spaces, as HOOK_URLS, and secrets has
// name=whsec_...,whsec_... pairs, as HOOK_SECRETS. Each name has a URL and at least one secret. The error never shows a
// secret or a URL.
func ParseHooks(urls, secrets string) (map[string]Hook, error) {
	byName, err := rules.Pairs("HOOK_URLS", urls)
	signing, err2 := rules.Pairs("HOOK_SECRETS", secrets)
	errs := []error{err, err2}
	hooks := map[string]Hook{}
	for name, url := range byName {
		hooks[name] = Hook{URL: url}
	}
	for name, list := range signing {
		hook, ok := hooks[name]
		if !ok { // without "name=", the name is a part of a secret
			errs = append(errs, errors.New("HOOK_SECRETS has an entry name=whsec_... with a name that HOOK_URLS does not have"))
			continue
		}
		hook.Secrets = strings.Split(list, ",")
		hooks[name] = hook
	}
	for _, name := range slices.Sorted(maps.Keys(hooks)) {
		if err := hooks[name].Check(name); err != nil {
			errs = append(errs, fmt.Errorf("HOOK_URLS and HOOK_SECRETS: %w", err))
		}
	}
	return hooks, errors.Join(errs...)
}
