//go:build race

package imaging_test

const race = true
