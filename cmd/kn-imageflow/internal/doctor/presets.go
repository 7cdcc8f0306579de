package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/notify"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/triggers"
)

// checkStep returns an error for a Trigger whose processor or pipeline does not accept its parameters by the contract.
func checkStep(t triggers.Trigger, set *presets.Set) error {
	service, text := query(t)
	if p, ok := processors.At(service); ok {
		return triggers.CheckParameters(p, set, text)
	}
	if service == gatewayService {
		return gateway.CheckPipeline(set, text)
	}
	return nil
}

// mounted is a file of a ConfigMap that a container sees.
type mounted struct{ configMap, key string }

// String describes the file, or that there is none.
func (m mounted) String() string {
	if m == (mounted{}) {
		return "no file"
	}
	return fmt.Sprintf("file %s of configmap %s", m.key, m.configMap)
}

// file returns the file that a variable of a Service's container names; empty if it names none of a ConfigMap.
func file(s servingv1.Service, name string) mounted {
	path := variable(s, name).Value
	for _, container := range s.Spec.Template.Spec.Containers {
		for _, mount := range container.VolumeMounts {
			key, isBelow := strings.CutPrefix(path, mount.MountPath+"/")
			for _, volume := range s.Spec.Template.Spec.Volumes {
				if isBelow && volume.Name == mount.Name && volume.ConfigMap != nil {
					return mounted{volume.ConfigMap.Name, key}
				}
			}
		}
	}
	return mounted{}
}

// presetSet returns the presets of the processors and the gateway, which must all have the same; nil if they have none.
func (d *Doctor) presetSet(ctx context.Context) (*presets.Set, *finding) {
	const fix = "# add config/components/presets, which gives all of them one file, to your overlay, and deploy:\n" + deploy
	from, err := d.presetsFile(ctx)
	if err != nil {
		return nil, &finding{err.Error(), fix}
	}
	if from == (mounted{}) {
		return nil, nil
	}
	config, err := d.Kube.CoreV1().ConfigMaps(d.Namespace).Get(ctx, from.configMap, metav1.GetOptions{})
	if err != nil {
		return nil, &finding{err.Error(), fix}
	}
	text, ok := config.Data[from.key]
	if !ok {
		return nil, &finding{fmt.Sprintf("PRESETS_FILE: there is no %s", from), fix}
	}
	set, err := presets.Parse([]byte(text))
	if err != nil {
		return nil, &finding{fmt.Sprintf("%s: %v", from, err),
			"# correct the file of the configMapGenerator in your overlay, and deploy:\n" + deploy}
	}
	return set, nil
}

// presetsFile returns the PRESETS_FILE of the processors and the gateway; empty if they have none.
func (d *Doctor) presetsFile(ctx context.Context) (from mounted, err error) {
	services, err := d.allServices(ctx)
	if err != nil {
		return from, err
	}
	readers := map[mounted][]string{}
	for _, s := range services {
		if _, isProcessor := processors.At(s.Name); isProcessor || s.Name == gatewayService {
			from = file(s, "PRESETS_FILE")
			readers[from] = append(readers[from], s.Name)
		}
	}
	if len(readers) < 2 {
		return from, nil
	}
	var differing []string
	for of, names := range readers {
		differing = append(differing, fmt.Sprintf("%s: %s", of, strings.Join(names, ", ")))
	}
	slices.Sort(differing)
	return from, errors.New("PRESETS_FILE is not the same everywhere\n" + strings.Join(differing, "\n"))
}

// hooksOf checks the hooks of notify and the names in Triggers.
func (d *Doctor) hooksOf(ctx context.Context, s servingv1.Service, all []triggers.Trigger) *finding {
	urls, err := d.Value(ctx, variable(s, "HOOK_URLS"))
	secrets, err2 := d.Value(ctx, variable(s, "HOOK_SECRETS"))
	if err := errors.Join(err, err2); err != nil {
		return &finding{err.Error(), d.newHooks(all)}
	}
	hooks, err := notify.ParseHooks(urls, secrets)
	if err != nil {
		return &finding{err.Error(), d.newHooks(all)}
	}
	for _, t := range all {
		_, text := query(t)
		if err := notify.Check(hooks, text); err != nil {
			return &finding{fmt.Sprintf("%s: spec.subscriber.uri: %v", t, err),
				d.editTrigger(t.Metadata.Name) + "  # or add the hook:\n" + d.newHooks(all, slices.Sorted(maps.Keys(hooks))...)}
		}
	}
	return nil
}

// newHooks is the fix that makes the secret of notify anew: with the hooks that Triggers name, and with known ones.
func (d *Doctor) newHooks(all []triggers.Trigger, known ...string) string {
	const secret = "webhooks"
	names := map[string]bool{}
	for _, t := range all {
		_, text := query(t)
		if name, ok := strings.CutPrefix(text, "hook="); ok && !slices.Contains(known, name) {
			names[name] = true
		}
	}
	if len(names) == 0 {
		names["shop"] = true
	}
	var urls, secrets []string
	if len(known) > 0 {
		urls = append(urls, strings.Trim(fromSecret(d.Namespace, secret, "urls"), `"`))
		secrets = append(secrets, strings.Trim(fromSecret(d.Namespace, secret, "secrets"), `"`))
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_URL"
		urls = append(urls, fmt.Sprintf("%s=${%s:?such as https://shop.example/hooks}", name, variable))
		secrets = append(secrets, fmt.Sprintf("%s=whsec_$(openssl rand -base64 32)", name))
	}
	return fmt.Sprintf("kubectl create secret generic -n %s %s --from-literal=urls=\"%s\" --from-literal=secrets=\"%s\" "+
		"--dry-run=client -o yaml | kubectl apply -f -\n%s", d.Namespace, secret, strings.Join(urls, " "), strings.Join(secrets, " "),
		d.restart(notifyService))
}
