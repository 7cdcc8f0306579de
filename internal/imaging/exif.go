package imaging

import (
	"math"
	"time"
)

// EXIF has fields of the EXIF data of a photograph (CIPA DC-008). Missing and malformed fields are
// zero.
type EXIF struct {
	// Make and Model are those of the camera.
	Make, Model string
	// Taken is the local time of the photograph as 2006-01-02T15:04:05, with the offset from UTC
	// at its end if it is known, as +01:00.
	Taken string
	// Location is where the photograph was taken.
	Location *Location
}

// Location is a position in WGS 84. Latitude and Longitude are in degrees; north and east are
// positive.
type Location struct {
	Latitude, Longitude float64
	// Altitude is in metres above the sea; nil means unknown.
	Altitude *float64
}

// Tags of EXIF. Those of GPS are in a directory of their own.
const (
	tagModel       = 272
	tagPhotograph  = 34665
	tagGPS         = 34853
	tagTaken       = 36867
	tagTakenOffset = 36881

	gpsLatitudeRef  = 1
	gpsLatitude     = 2
	gpsLongitudeRef = 3
	gpsLongitude    = 4
	gpsAltitudeRef  = 5
	gpsAltitude     = 6
)

// EXIF parses the fields of the EXIF data. It reads at most three directories.
func (h Header) EXIF() EXIF {
	data := h.exif
	if data == nil {
		data = h.metadata.exif
	}
	entries, form, err := firstDirectory(data)
	if err != nil {
		return EXIF{}
	}
	image := exifDirectory{data, form, entries}
	photograph := image.directory(tagPhotograph)
	e := EXIF{Make: image.text(tagMake), Model: image.text(tagModel), Location: image.directory(tagGPS).location()}
	if e.Taken = timeOf(photograph.text(tagTaken)); e.Taken == "" {
		return e
	}
	if offset := photograph.text(tagTakenOffset); isOffset(offset) {
		e.Taken += offset
	}
	return e
}

// timeOf returns an EXIF time in the form of EXIF.Taken, or "" if it is not valid.
func timeOf(text string) string {
	t, err := time.Parse("2006:01:02 15:04:05", text)
	if err != nil {
		return ""
	}
	return t.Format("2006-01-02T15:04:05")
}

func isOffset(text string) bool {
	_, err := time.Parse("-07:00", text)
	return err == nil
}

// exifDirectory is a directory of a TIFF structure.
type exifDirectory struct {
	data    []byte
	form    tiffForm
	entries []directoryEntry
}

// find returns the entry of a tag, or one without values.
func (d exifDirectory) find(tag uint16) directoryEntry {
	for _, e := range d.entries {
		if e.tag == tag {
			return e
		}
	}
	return directoryEntry{}
}

// directory returns the directory that a tag refers to; empty if there is none.
func (d exifDirectory) directory(tag uint16) exifDirectory {
	e := d.find(tag)
	if e.kind == tiffIFD {
		e.kind = tiffLong
	}
	if at, err := e.numbers(d.data, d.form); err == nil && len(at) == 1 {
		d.entries, _, _ = d.form.directory(d.data, int64(at[0])) // no entries on error
		return d
	}
	return exifDirectory{}
}

// text returns the value of a tag as text.
func (d exifDirectory) text(tag uint16) string {
	content := d.find(tag).bytes(d.data, d.form)
	return printable(string(content[:min(len(content), maxName)]))
}

// location returns the position of a GPS directory, or nil if it has no valid one.
func (d exifDirectory) location() *Location {
	latitude, okLatitude := d.degrees(gpsLatitude, gpsLatitudeRef, "N", "S", 90)
	longitude, okLongitude := d.degrees(gpsLongitude, gpsLongitudeRef, "E", "W", 180)
	if !okLatitude || !okLongitude {
		return nil
	}
	l := &Location{Latitude: latitude, Longitude: longitude}
	if height, ok := d.sum(gpsAltitude, 1); ok {
		if ref := d.find(gpsAltitudeRef).bytes(d.data, d.form); len(ref) == 1 && ref[0] == 1 {
			height = -height
		}
		l.Altitude = &height
	}
	return l
}

// degrees returns an angle of degrees, minutes and seconds, which ref gives a sign.
func (d exifDirectory) degrees(tag, ref uint16, positive, negative string, limit float64) (angle float64, ok bool) {
	angle, ok = d.sum(tag, 1, 1./60, 1./3600)
	switch side := d.text(ref); {
	case !ok || angle > limit || side != positive && side != negative:
		return 0, false
	case side == negative:
		angle = -angle
	}
	const precision = 1e7 // about a centimetre
	return math.Round(angle*precision) / precision, true
}

// sum returns the sum of the rationals of a tag, each times its unit.
func (d exifDirectory) sum(tag uint16, units ...float64) (total float64, ok bool) {
	ratios := d.find(tag).ratios(d.data, d.form)
	if len(ratios) != 2*len(units) {
		return 0, false
	}
	for i, unit := range units {
		if ratios[2*i+1] == 0 {
			return 0, false
		}
		total += unit * float64(ratios[2*i]) / float64(ratios[2*i+1])
	}
	return total, true
}

// exifOrientation returns the orientation in the first directory of a TIFF structure, or 1 if it
// is missing. It may be no valid orientation.
func exifOrientation(tiff []byte) int {
	dir, form, err := firstDirectory(tiff)
	if err != nil {
		return 1
	}
	for _, entry := range dir {
		if value := entry.orientation(form); value != 0 {
			return int(value)
		}
	}
	return 1
}

// orientation returns the value of the orientation, and 0 for other entries. EXIF wants a SHORT, but
// some files have other integers, and other readers apply them.
func (e directoryEntry) orientation(form tiffForm) uint16 {
	if e.tag != tagOrientation || e.count != 1 {
		return 0
	}
	switch e.kind {
	case tiffByte:
		return uint16(e.value[0])
	case tiffShort:
		return form.Uint16(e.value)
	case tiffLong, tiffSignedLong:
		return uint16(min(form.Uint32(e.value), math.MaxUint16))
	}
	return 0
}

// setUpright sets the value of an entry with an orientation to 1.
func (e directoryEntry) setUpright(form tiffForm) {
	switch e.kind {
	case tiffByte:
		e.value[0] = 1
	case tiffShort:
		form.PutUint16(e.value, 1)
	default:
		form.PutUint32(e.value, 1)
	}
}
