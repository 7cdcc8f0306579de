package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/triggers"
)

// notifyService is the Service that posts events to webhooks.
const notifyService = "notify"

// hooks checks the receivers of webhooks, and that each Trigger for notify names one.
func (c *cluster) hooks(ctx context.Context) (string, *finding) {
	all, err := c.allTriggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	isHook := func(t triggers.Trigger) bool {
		return t.Spec.Subscriber.Ref != nil && t.Spec.Subscriber.Ref.Name == notifyService
	}
	all = slices.DeleteFunc(all, func(t triggers.Trigger) bool { return !isHook(t) })
	var services list
	if err := c.get(ctx, &services, "services.serving.knative.dev", "--namespace", c.namespace); err != nil {
		return "", &finding{err.Error(), deploy}
	}
	i := slices.IndexFunc(services.Items, func(o object) bool { return o.Metadata.Name == notifyService })
	switch {
	case i < 0 && len(all) == 0:
		return "none", nil
	case i < 0:
		return "", &finding{all[0].String() + ": there is no Service notify", "deploy with config/components/webhooks"}
	}
	notify := services.Items[i]
	if wrong := c.hooksOf(ctx, notify, all); wrong != nil {
		return "", wrong
	}
	if reason := notify.unready(); reason != "" {
		return "", &finding{"notify: " + reason + c.pending(ctx, notifyService), "kubectl describe pods -n " + c.namespace}
	}
	return fmt.Sprintf("notify is ready, and each of %d Triggers names a hook that it has", len(all)), nil
}

// hooksOf checks the hooks of notify and the names in Triggers.
func (c *cluster) hooksOf(ctx context.Context, notify object, all []triggers.Trigger) *finding {
	fix := "kubectl create secret generic -n " + c.namespace + " webhooks --from-literal=urls='NAME=https://...' " +
		"--from-literal=secrets=\"NAME=whsec_$(openssl rand -base64 32)\" --dry-run=client -o yaml | kubectl apply -f -\n" +
		"then delete the pods of notify, which read it when they start"
	urls, err := c.value(ctx, notify, "HOOK_URLS")
	secrets, err2 := c.value(ctx, notify, "HOOK_SECRETS")
	hooks := role.Hooks{URLs: urls, Secrets: secrets}
	if err := errors.Join(err, err2); err != nil {
		return &finding{err.Error(), fix}
	}
	if err := hooks.Validate(); err != nil {
		return &finding{err.Error(), fix}
	}
	for _, t := range all {
		uri, err := url.Parse(t.Spec.Subscriber.URI)
		if err == nil {
			err = hooks.Check(uri.RawQuery)
		}
		if err != nil {
			return &finding{fmt.Sprintf("%s: spec.subscriber.uri: %v", t, err), c.editTrigger() + ", or add the hook:\n" + fix}
		}
	}
	return nil
}

// value returns the value of a variable of a Service's container, which may be in a secret. It is empty if there is none.
func (c *cluster) value(ctx context.Context, service object, variable string) (string, error) {
	v := service.variable(variable)
	from := v.ValueFrom.SecretKeyRef
	if from.Name == "" {
		return v.Value, nil
	}
	var secret object
	if err := c.get(ctx, &secret, "secret", from.Name, "--namespace", c.namespace); err != nil {
		return "", err
	}
	text, err := base64.StdEncoding.DecodeString(secret.Data[from.Key])
	return string(text), err
}
