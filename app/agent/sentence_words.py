"""What the sentence splitter knows of languages: abbreviations, ordinals, lists, what follows a quotation. PURE data.

Words stand as they are written, without the dot. Only what an answer may well contain is here; a word that is as often
a word of its own (`so`, `am`, `do`) is left out, or asks for more.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Abbreviation(Enum):
    """What a dot after an abbreviation means."""

    OPEN = "a name, a number or a noun belongs to it: the sentence goes on"
    EITHER = "the sentence may end: the word that follows decides"
    SMALL = "the sentence goes on before a small letter or a number"
    NUMBERED = "the sentence goes on where a number follows"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRITTEN: Mapping[str, Mapping[Abbreviation, str]] = {
    "en": {
        Abbreviation.OPEN: """
            Mr Mrs Ms Mx Dr Prof Rev Fr Hon Pres Gov Sen Rep Gen Col Maj Capt Cmdr Lt Sgt Cpl Adm Supt Messrs St Mt Ft
            mr mrs ms dr prof vs Vs cf viz Asst Assoc
        """,
        Abbreviation.EITHER: """
            Inc Ltd Co Corp Bros Cie Jr Sr Esq co etc al ca approx est st Ave Blvd Rd Hwy Sq Dept Univ Inst Assn
            Ed Eds ed eds dept univ appt apt Apt tel Tel ext Ext max Max min Min avg Avg misc incl excl
            Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun
        """,
        Abbreviation.SMALL: "ft oz lb lbs hr hrs sec secs mins yr yrs mph",
        Abbreviation.NUMBERED: """
            No Nos no nos Fig Figs fig figs Vol Vols vol vols Ch Chap ch chap Sec Eq Eqs Ex pp pg Pt Op Art Ver ver
        """,
    },
    "de": {
        Abbreviation.OPEN: """
            Hr Hrn Fr Frl Dipl Ing Mag med rer nat phil jur habil Ges St Skt Fa bzw bspw beispielsw cca evtl ggf ggfs
            inkl exkl insb insbes jew lt mind sog vgl zzgl Mio Mrd Mill Tsd geb gest allg bes dergl ehem einschl entspr
            gem Hauptstr Str str Pl
        """,
        Abbreviation.EITHER: """
            usw usf ff Jh Jhd Okt Dez Mrz Bhf Abt Anm Aufl Hrsg verh vorm nachm MwSt USt
        """,
        Abbreviation.SMALL: "Std Sek Mo Di Mi Do Sa So",
        Abbreviation.NUMBERED: "Nr Nrn Abb Abs Bd Bde Kap Tab Ziff Hausnr Pos Lfd",
    },
    "fr": {
        Abbreviation.OPEN: "Mme Mmes Mlle Mlles MM Mgr",
        Abbreviation.NUMBERED: "art",
    },
    "es": {
        Abbreviation.OPEN: "Sra Sras Srta Sres Dra Dña Lic Ud Uds Vd Avda",
        Abbreviation.NUMBERED: "núm pág págs cap",
    },
    "ru": {
        Abbreviation.OPEN: "им ул гр проф акад доц",
        Abbreviation.EITHER: "тыс млн млрд руб коп др пр стр обл",
    },
}

ABBREVIATIONS: Mapping[str, Abbreviation] = {
    word: kind for kinds in _WRITTEN.values() for kind, text in kinds.items() for word in _words(text)
}
"""By the word as it is written."""

STARTERS = _words("""
    A An The I You He She It We They This That These Those There Here My Your His Her Its Our Their And But Or So If
    When While After Before Then However Although Because Since As At In On For From With Without By To What Where Why
    How Who Which Is Are Was Were Do Does Did Can Could Will Would Should Please Thanks Thank Yes No Not Now Also Maybe
    Perhaps Let Today Yesterday Tomorrow Meanwhile Finally First Next Later Once Some Many Most All Both Each Every
    Another Other One Everyone Everybody Nobody Nothing Something Oh Well Actually

    Der Die Das Ein Eine Er Sie Es Wir Ihr Ich Du Man Aber Und Oder Denn Doch Dann Danach Jetzt Heute Gestern Morgen
    Hier Dort Da Dies Diese Dieser Dieses Wenn Als Ob Weil Nachdem Bevor Obwohl Was Wer Wie Wo Warum Wann Mein Meine
    Dein Deine Sein Seine Unser Unsere Auch Nur Nun Bitte Danke Ja Nein Nicht Alle Viele Im Am Mit Von Bei Nach Zu Für
    Seit Trotzdem Deshalb Außerdem Jedoch Schließlich Zuerst Kein Keine
""")
"""Words with which sentences begin, and names and nouns do not."""

ORDINAL_NOUNS = _words("""
    Januar Jänner Februar März Mai Juni Juli August September Oktober November Dezember
    Jan Feb Mrz Apr Aug Sept Okt Nov Dez
    Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag
    Jahrhundert Jahrhunderts Jahrtausend Weltkrieg Weltkriegs Mal Platz Tag Woche Monat Jahr Klasse Stock Etage Tür
    Reihe Seite Kapitel Auflage Liga Bundesliga Runde Spieltag Quartal Semester Stufe Teil Akt Satz Rang Geburtstag
    Lebensjahr Reich Reiches Advent Stelle Schritt Generation
""")
"""What German counts with a dot: `3. Oktober`."""

BEFORE_ORDINALS = _words("""
    am im vom zum zur der den dem des die das bis ab seit beim jeden jeder jede jedes diesem diesen dieser dieses
    mein meinem meinen sein seinem seinen ihr ihrem ihren unser unserem unseren ein eine einem einen
    Am Im Vom Zum Zur Der Den Dem Des Die Das Bis Ab Seit Beim Jeden Jeder Jede
""")
"""What stands before such a number: `der 2. Weltkrieg`."""

NUMBERED = _words("""
    Step step Chapter chapter Section section Part part Lesson Question Exercise Example Figure Table Item Rule Tip
    Phase Schritt Kapitel Abschnitt Teil Lektion Frage Aufgabe Beispiel Regel Punkt
    단계 문제 질문 예제 예시 항목 규칙 ステップ 手順 問題 質問 例
""")
"""What is numbered: `Step 1. Boil the water`."""

LETTERS_OF_LISTS = "가나다라마바사아자차카타파하"
"""The letters that number a Korean list, in their order."""

COUNTERS = frozenset("개명시분초원번권마살년월일층위가대회차주세곳장잔병달배점도퍼킬미")
"""What a Korean number counts, directly after it: `3. 5명이` is not a date."""

AFTER_QUOTATIONS = (
    *("라고", "라는", "라며", "라면", "라니", "라서", "하고", "하며", "하는", "하던"),
    *("이라고", "이라는", "이라며"),
)
"""How Korean goes on after a quotation and a space."""

PARTICLES = frozenset("とっをはがにでものへやだなか")
"""How Japanese goes on directly after one."""

JAPANESE_STARTERS = (
    *("でも", "では", "だから", "だって", "もう", "もし", "もちろん", "なに", "なぜ", "なんで", "なるほど"),
    *("かれ", "かの", "かなり", "とても", "ところ", "とにかく", "はい", "はじめ", "やはり", "やっと", "やっぱり"),
    *("がんば", "のんび"),
)
"""Sentences that begin with the same signs."""
