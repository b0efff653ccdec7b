package phone

import (
	"slices"
	"strings"
)

// The tables below are ITU-T E.164's and the North American plan's. A test of the example
// compares them with nyaruka/phonenumbers, which this module does not depend on.
const (
	// callingCodes has the codes of countries. Satellite networks and international
	// services such as 870, 882 and 979 are left out: a message to them can cost as much
	// as a premium call.
	callingCodes = " 1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98" +
		" 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 249" +
		" 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 297 298 299" +
		" 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387 389 420 421 423" +
		" 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599" +
		" 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692" +
		" 850 852 853 855 856 880 886 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 995 996 998" +
		// Countries of the North American plan other than the United States and Canada.
		" 1242 1246 1264 1268 1284 1340 1345 1441 1473 1649 1658 1664 1670 1671 1684 1721 1758 1767 1784 1787 1809 1829 1849 1868 1869 1876 1939 "

	// servicesOf1 has the area codes of the North American plan that belong to no place:
	// premium rate, toll-free, personal and machine numbers.
	servicesOf1 = " 500 521 522 523 524 525 526 527 528 529 532 533 535 538 542 543 544 545 546 547 549 550 552 553 554 556 558 566 569 577 578 588 589" +
		" 600 622 633 644 655 677 688 700 710 800 822 833 844 855 866 877 880 881 882 883 884 885 886 887 888 889 900 "

	// dropsZero has the codes of countries whose numbers are written with a zero at home
	// and without it after the code: +44 (0)7911 123456 is +44 7911 123456.
	dropsZero = " 20 27 31 32 33 40 41 43 44 46 49 51 53 54 55 58 60 61 62 63 64 66 81 82 84 90 91 92 93 94 95 98" +
		" 212 213 218 233 234 254 255 256 353 358 359 380 381 385 386 421 855 856 880 886 961 962 963 964 966 971 972 977 "

	// keepsZero has the codes of countries where a zero is a part of the number.
	keepsZero = " 39 225 226 229 241 242 992 "
)

// IsCallingCode reports whether code is the calling code of a country, such as "852". In
// the North American plan, "1" is the United States and Canada, and the codes of other
// countries include the area code, such as "1876".
func IsCallingCode(code string) bool { return listed(callingCodes, code) }

// CallingCode returns the calling code, in the sense of [IsCallingCode], of a number in
// E.164 form. It returns "" for a number that belongs to no country.
func CallingCode(number string) string {
	code, rest := split(strings.TrimPrefix(number, "+"))
	if code == "1" && listed(servicesOf1, rest[:min(len(rest), 3)]) {
		return ""
	}
	return code
}

// split separates the calling code from the rest of a number.
func split(digits string) (code, rest string) {
	// Longest first: 1876 is not 1. Otherwise no code is the beginning of another.
	for n := min(len(digits), 4); n > 0; n-- {
		if IsCallingCode(digits[:n]) {
			return digits[:n], digits[n:]
		}
	}
	return "", digits
}

// canonical returns digits, which begin with a calling code, in the one spelling of the
// number. It reports false if the tables have none.
func canonical(digits string) (string, bool) {
	code, rest := split(digits)
	if CallingCode(digits) == "" {
		return "", false
	}
	if strings.HasPrefix(rest, "0") && !listed(keepsZero, code) {
		if !listed(dropsZero, code) || strings.HasPrefix(rest, "00") {
			return "", false
		}
		rest = rest[1:]
	}
	digits = code + rest
	lengths := lengthsOf(code)
	switch {
	case len(lengths) > 0 && !slices.Contains(lengths, len(digits)):
		return "", false
	case digits[0] == '1' && (digits[1] < '2' || digits[4] < '2'): // neither area nor exchange
		return "", false
	}
	return digits, true
}

// lengthsOf returns the lengths of a country's numbers with the calling code. It has the
// countries where a digit other than zero, such as the 8 in +7 8 916 123-45-67, makes a
// second spelling of a number. It returns nil for all others.
func lengthsOf(code string) []int {
	switch {
	case code[0] == '1', code == "7", code == "241", code == "370", code == "993":
		return []int{11}
	case code == "52", code == "375":
		return []int{12}
	case code == "54", code == "55":
		return []int{12, 13}
	}
	return nil
}

// listed reports whether a table has the code.
func listed(table, code string) bool {
	return code != "" && strings.Trim(code, "0123456789") == "" && strings.Contains(table, " "+code+" ")
}
