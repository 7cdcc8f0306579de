//go:build !cgo

package role

// processorRoles is empty: the processors need libvips. The other roles need no C library,
// and a build without cgo does not load libvips for them.
var processorRoles []Role
