package account

import "testing"

func TestParsePhone(t *testing.T) {
	for _, tc := range []struct{ name, typed, want string }{
		{"as it is", "+491701234567", "+491701234567"},
		{"spaces and brackets", " +49 (170) 123-45.67 ", "+491701234567"},
		{"the other prefix", "0049 170 1234567", "+491701234567"},
		{"full-width, from a Japanese keyboard", "＋８１　９０ー１２３４−５６７８", "+819012345678"},
		{"dashes of other kinds", "+81–90—1234‐5678", "+819012345678"},
		{"pasted with a mark of direction", "\u202a+819012345678\u202c", "+819012345678"},
		{"the longest", "+123456789012345", "+123456789012345"},
		{"the shortest", "+2901234", "+2901234"},

		{"nothing", "", ""},
		{"without the country's code", "090-1234-5678", ""},
		{"a code no country has", "+0901234567", ""},
		{"too short", "+491234", ""},
		{"too long", "+1234567890123456", ""},
		{"two numbers", "+491701234567,+491707654321", ""},
		{"two plus signs", "++491701234567", ""},
		{"an extension", "+491701234567x12", ""},
		{"letters", "+1800FLOWERS", ""},
		{"digits of another script", "+٤٩١٧٠١٢٣٤٥٦٧", ""},
		{"a line break", "+491701234567\r\nX: y", ""},
		{"a quotation mark", `+49170123456"`, ""},
		{"endless", "+49170123456" + string(make([]byte, 1000)), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := ParsePhone(tc.typed); ok != (tc.want != "") || ok && got != tc.want {
				t.Errorf("%q, %t; want %q", got, ok, tc.want)
			}
		})
	}
}

func TestMasks(t *testing.T) {
	for given, want := range map[string]string{
		"alice@example.test": "a***@example.test", "a@example.test": "a***@example.test",
		"日本@example.test": "日***@example.test", "@example.test": "***", "nobody": "***",
	} {
		if got := MaskEmail(given); got != want {
			t.Errorf("%s: %s", given, got)
		}
	}
	for given, want := range map[string]string{"+491701234567": "+49 *** 67", "+2901234": "+29 *** 34", "+12": "***", "": "***"} {
		if got := MaskPhone(given); got != want {
			t.Errorf("%s: %s", given, got)
		}
	}
}
