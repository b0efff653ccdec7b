package phonenumbers

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/scangate/scangate/internal/phone"
)

// TestCaseB17CallingCodes compares the gate's table of calling codes with that of
// nyaruka/phonenumbers.
func TestCaseB17CallingCodes(t *testing.T) {
	codes := phonenumbers.GetSupportedCallingCodes()
	for code := range 1000 {
		country := codes[code] && phonenumbers.GetRegionCodeForCountryCode(code) != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY
		if got := phone.IsCallingCode(strconv.Itoa(code)); got != country {
			t.Errorf("IsCallingCode(%d) = %t, want %t", code, got, country)
		}
	}
	for area := 200; area < 1000; area++ {
		typed := fmt.Sprintf("+1%d2345678", area)
		number, err := phonenumbers.Parse(typed, "")
		if err != nil || !phonenumbers.IsValidNumber(number) {
			continue // the area code is not in use
		}
		want := "1" + strconv.Itoa(area)
		switch region := phonenumbers.GetRegionCodeForNumber(number); {
		case phonenumbers.GetNumberType(number) != phonenumbers.FIXED_LINE_OR_MOBILE && (region == "US" || region == "CA"):
			want = ""
		case region == "US" || region == "CA":
			want = "1"
		}
		if got := phone.CallingCode(typed); got != want {
			t.Errorf("CallingCode(%s) = %q, want %q", typed, got, want)
		}
	}
}

// TestCaseB17MobilesOfAllCountries normalizes the example of a mobile number of each
// region, with the zero for calls at home and without it.
func TestCaseB17MobilesOfAllCountries(t *testing.T) {
	for region := range phonenumbers.GetSupportedRegions() {
		mobile := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
		if mobile == nil {
			continue // of islands without mobile numbers of their own
		}
		want := phonenumbers.Format(mobile, phonenumbers.E164)
		code, national := strconv.Itoa(int(mobile.GetCountryCode())), phonenumbers.GetNationalSignificantNumber(mobile)
		if len(code)+len(national) < 7 {
			continue // too short for the gate
		}
		if got, err := phone.Normalize(phonenumbers.Format(mobile, phonenumbers.INTERNATIONAL)); err != nil || got != want {
			t.Errorf("%s: Normalize of an international number = %q, %v, want %q", region, got, err, want)
		}
		// A zero is dropped or refused. Where it is kept, the result is another number.
		typed := "+" + code + "0" + national
		if got, err := phone.Normalize(typed); err == nil && got != want && got != typed {
			t.Errorf("%s: Normalize(%q) = %q, want %q, itself or an error", region, typed, got, want)
		}
	}
}

// TestThreat73Satellites: numbers of satellite networks count as mobile numbers in
// nyaruka/phonenumbers. The example sends no code to them.
func TestThreat73Satellites(t *testing.T) {
	for code := range phonenumbers.GetSupportedCallingCodes() {
		if phone.IsCallingCode(strconv.Itoa(code)) {
			continue
		}
		number := phonenumbers.GetExampleNumberForNonGeoEntity(code)
		typed := phonenumbers.Format(number, phonenumbers.E164)
		if got, err := Normalize(typed); err == nil {
			t.Errorf("Normalize(%s) = %q, want an error", typed, got)
		}
	}
}
