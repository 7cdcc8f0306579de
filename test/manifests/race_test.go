//go:build race

package manifests_test

const race = true
