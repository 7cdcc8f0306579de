package notify_test

import (
	"fmt"
	"strings"
	"testing"

	"imageflow.dev/internal/notify"
)

func TestHooksThatAreNotValid(t *testing.T) {
	good := notify.Hook{URL: "https://shop.example/hooks", Secrets: []string{secretOld}}
	if err := good.Check("shop"); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name   string
		hook   notify.Hook
		reason string
	}{
		{"Shop", good, "name"}, {"shop", notify.Hook{URL: "ftp://x/", Secrets: good.Secrets}, "http"},
		{"shop", notify.Hook{URL: "https://user:password@x/", Secrets: good.Secrets}, "password"},
		{"shop", notify.Hook{URL: "https://:443/", Secrets: good.Secrets}, "with a host"},
		{"shop", notify.Hook{URL: "https://shop.example:99999/", Secrets: good.Secrets}, "65535"},
		{"shop", notify.Hook{URL: "https://shop.example:0/", Secrets: good.Secrets}, "65535"},
		{"shop", notify.Hook{URL: good.URL}, "no secret"},
		{"shop", notify.Hook{URL: good.URL, Secrets: []string{secretOld, "whsec_c2hvcnQ="}}, "secret 2"},
		{"shop", notify.Hook{URL: good.URL, Secrets: []string{strings.TrimPrefix(secretOld, "whsec_")}}, "secret 1"},
	} {
		err := c.hook.Check(c.name)
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s %+v: %v, want %q", c.name, c.hook, err, c.reason)
		}
		for _, secret := range c.hook.Secrets {
			if strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("the error shows a secret: %v", err)
			}
		}
	}
}
