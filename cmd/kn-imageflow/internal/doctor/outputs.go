package doctor

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/pkg/apis"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/rules"
	"imageflow.dev/internal/triggers"
)

// outputs finds Triggers that would overwrite each other's outputs, or may not write them.
func (d *Doctor) outputs(ctx context.Context) (string, *finding) {
	made, all, err := d.Triggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	set, wrong := d.presetSet(ctx) // the check of presets reports its problems
	if names := needPresets(all); wrong != nil && len(names) > 0 {
		return fmt.Sprintf("not known without the presets and pipelines that %s name: %s",
			strings.Join(names, ", "), wrong.reason), d.writable(ctx, triggers.Expand(all, nil))
	}
	var reasons []string
	for _, p := range wrongOutputs(all, set) {
		reasons = append(reasons, p.Message)
	}
	if len(reasons) > 0 {
		return "", &finding{strings.Join(reasons, "\n"), d.separate(made, set)}
	}
	if wrong := d.writable(ctx, triggers.Expand(all, set)); wrong != nil {
		return "", wrong
	}
	return "no two Triggers write the same name, and each may write where it does", nil
}

// needPresets returns the names of the Triggers that name presets or pipelines, on which their outputs depend.
func needPresets(all []triggers.Trigger) (names []string) {
	for _, t := range all {
		if t.NeedsPresets() {
			names = append(names, t.Metadata.Name)
		}
	}
	return names
}

// wrongOutputs returns the problems with which no chain works.
func wrongOutputs(all []triggers.Trigger, set *presets.Set) []triggers.Problem {
	return slices.DeleteFunc(triggers.Problems(all, set), func(p triggers.Problem) bool { return p.Kind > triggers.WrongParameters })
}

// separate returns the fix of wrong outputs: the newest of two Triggers with one output gets a variant of its own, until no two
// have one. What is wrong then is for an editor.
func (d *Doctor) separate(made []eventingv1.Trigger, set *presets.Set) string {
	slices.SortStableFunc(made, func(a, b eventingv1.Trigger) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	var fixes []string
	for range made {
		all, err := cluster.ReadTriggers(made)
		if err != nil {
			break
		}
		newest := -1
		for _, p := range wrongOutputs(all, set) {
			for i, t := range made {
				if len(p.Triggers) > 1 && slices.Contains(p.Triggers, t.Name) && variantFor(t) != "" {
					newest = max(newest, i)
				}
			}
		}
		if newest < 0 {
			break
		}
		t := &made[newest]
		uri := withVariant(*t)
		t.Spec.Subscriber.URI = uri
		fixes = append(fixes, fmt.Sprintf(`kubectl patch trigger -n %s %s --type merge -p '{"spec":{"subscriber":{"uri":"%s"}}}'`,
			d.Namespace, t.Name, uri))
	}
	all, err := cluster.ReadTriggers(made)
	if err != nil {
		return d.editTrigger("NAME")
	}
	for _, p := range wrongOutputs(all, set) {
		for _, name := range p.Triggers {
			fixes = append(fixes, d.editTrigger(name))
		}
	}
	return strings.Join(slices.Compact(fixes), "\n")
}

// variantFor returns the variant that a Trigger can get; empty if it has one or names its output.
func variantFor(t eventingv1.Trigger) string {
	uri := t.Spec.Subscriber.URI
	name := strings.ToLower(t.Name)
	name = strings.Trim(name[:min(len(name), 32)], "-")
	hasKey := strings.Contains(uri.String(), "object_key") || strings.Contains(uri.String(), "objectKey")
	if hasKey || uri.URL().Query().Has("variant") || !rules.IsName(name) {
		return ""
	}
	return name
}

// withVariant returns the path and the parameters of a Trigger with its new variant.
func withVariant(t eventingv1.Trigger) *apis.URL {
	uri := url.URL{Path: "/"}
	if u := t.Spec.Subscriber.URI; u != nil {
		uri = *u.URL()
	}
	uri.RawQuery = strings.Trim(uri.RawQuery+"&variant="+variantFor(t), "&")
	return (*apis.URL)(&uri)
}
