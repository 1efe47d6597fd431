"""The sentence splitter: rule 6 of the wire contract, whatever the tokens."""

import json
import time
import timeit
import unicodedata
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.agent.sentences import LONGEST, REACH, TERMINATORS, Closed, Piece, SentenceSplitter

TRANSCRIPTS = Path(__file__).parents[2] / "fixtures" / "transcripts" / "chldo"


def read(tokens: Iterable[str], splitter: SentenceSplitter | None = None) -> list[Piece | Closed]:
    splitter = splitter or SentenceSplitter()
    out = [said for token in tokens for said in splitter.feed(token)]
    return out + splitter.close()


def sentences(tokens: Iterable[str], splitter: SentenceSplitter | None = None) -> list[str]:
    return [said.text for said in read(tokens, splitter) if isinstance(said, Closed)]


def given_out(said: Iterable[Piece | Closed]) -> str:
    return "".join(one.text for one in said if isinstance(one, Piece))


# Rich in everything a decision hangs on; the fragments make long constructs likely.
FRAGMENTS = [
    *".?!。？！…؟।．‥",
    *"0123１",
    *"aBéЖ가나다ㅋ漢かケनقไ",
    *" \n\u00a0\u3000\t",
    *"\"'”’)]}」』》）“‘«(（「*~_`",
    *",;:、-/@&=%#",
    "\u0301",
    "\u200d",
    "\ufe0f",
    "😊",
    "👨\u200d👩",
    "...",
    "?!",
    "https://",
    "www.",
    "x.co.kr/",
    "a@b.co",
    "3.14",
    "U.S.",
    " J.",
    "\n1.",
    "보고서.pdf",
    "그렇습니다.",
    " 정말 반가워요!",
    "」と",
    '."라고',
    *(" Dr.", " Inc.", " Jan.", " No.", "usw.", "etc.", "2025.", " 1. 5", " am 3. ", "Oktober", "Step 1.", "\n가."),
    *("The ", "Then", "CEO", " and", " 라고", " 이라는", "물을", "」でも", "」と", "5명", "II.", "...", "“", "\n2. "),
    *("`", "``", "```", "`a. b`", "\n```\n"),
    " " * (REACH - 1),
    " " * (REACH + 2),
    ")" * (REACH + 1),
    "*" * REACH,
]
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
short_texts = st.lists(st.sampled_from([one for one in FRAGMENTS if len(one) < REACH - 1]), max_size=20).map("".join)
minimums = st.sampled_from([0, 1, 3, 13])


@st.composite
def cut_texts(draw: st.DrawFn) -> list[str]:
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=len(text))))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(max_examples=600, deadline=None)
@given(cut_texts(), minimums)
def test_cuts_do_not_depend_on_the_tokens(tokens: list[str], minimum: int) -> None:
    whole = sentences(["".join(tokens)], SentenceSplitter(minimum))
    assert sentences(tokens, SentenceSplitter(minimum)) == whole
    assert sentences("".join(tokens), SentenceSplitter(minimum)) == whole


@settings(max_examples=300, deadline=None)
@given(cut_texts(), minimums)
def test_nothing_is_lost_and_every_sentence_is_its_pieces(tokens: list[str], minimum: int) -> None:
    said = read(tokens, SentenceSplitter(minimum))
    text = "".join(tokens)
    assert given_out(said) == text
    assert all(one.text for one in said)
    closed = [one for one in said if isinstance(one, Closed)]
    assert [one.sentence for one in closed] == list(range(len(closed)))
    assert "".join(one.text for one in closed) == (text if text.strip() else "")
    assert all(one.text.strip() for one in closed)
    for number, group in groupby(said, key=lambda one: one.sentence):
        of_sentence = list(group)
        if number < len(closed):
            assert of_sentence[-1] == closed[number]
            assert given_out(of_sentence[:-1]) == closed[number].text
            assert closed[number].terminator in closed[number].text


@settings(max_examples=300, deadline=None)
@given(cut_texts(), minimums)
def test_tokens_are_cut_at_sentence_ends_only(tokens: list[str], minimum: int) -> None:
    def ends(parts: Iterable[str]) -> set[int]:
        at, seen = 0, set[int]()
        for part in parts:
            at += len(part)
            seen.add(at)
        return seen - {0}

    said = read(tokens, SentenceSplitter(minimum))
    pieces = [one.text for one in said if isinstance(one, Piece)]
    whole = [one.text for one in said if isinstance(one, Closed)]
    assert ends(pieces) == ends(tokens) | ends(whole)


long_tails = st.lists(st.sampled_from([*FRAGMENTS, *(sign * 3 * REACH for sign in ".!)* ")]), max_size=20)


@settings(max_examples=300, deadline=None)
@given(long_tails, minimums)
def test_what_is_held_is_one_token_and_a_bounded_tail(fragments: list[str], minimum: int) -> None:
    splitter = SentenceSplitter(minimum)
    waiting = 0
    for token in "".join(fragments):
        waiting += 1 - len(given_out(splitter.feed(token)))
        assert waiting <= 1 + 2 * REACH


def test_of_a_run_only_the_last_token_waits() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed(".") == []
    assert splitter.feed("..") == [Piece(".", 0)]
    assert splitter.feed("?") == [Piece("..", 0)]
    assert splitter.feed("네") == [Piece("?", 0), Piece("네", 0)]


def test_what_cannot_end_a_sentence_is_not_held_beyond_its_space() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("안녕하세요! ") == [Piece("안녕하세요! ", 0)]


@settings(max_examples=300, deadline=None)
@given(short_texts, minimums)
def test_a_full_stop_comes_together_with_its_end(text: str, minimum: int) -> None:
    splitter = SentenceSplitter(minimum)
    for said in [*map(splitter.feed, text), splitter.close()]:
        start = 0
        for at, closed in enumerate(said):
            if isinstance(closed, Closed):
                together = given_out(said[start:at])
                if closed.terminator == ".":
                    assert "." in together
                start = at + 1


korean = st.lists(
    st.sampled_from(
        [
            *"가나다각힣é .?!\n,\"'",
            *(
                "습니다.",
                "요? ",
                "3.14",
                "U.S.",
                '?" ',
                " 라고",
                "라곤",
                " 이라",
                "3. ",
                "5명",
                "5멍",
                " 2025. 1. 5. ",
                "Inc. ",
            ),
            *("Dr. ", "\n가. ", "\n나. ", "단계 1. ", "1. 물", "2. 면", "Él", "Über", "É", "mäßig", "„é“ "),
        ]
    ),
    min_size=5,
    max_size=60,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(korean)
def test_decomposed_text_is_cut_like_composed_text(text: str) -> None:
    decomposed = sentences([unicodedata.normalize("NFD", text)])
    assert [unicodedata.normalize("NFC", one) for one in decomposed] == sentences([text])


def test_no_composed_character_has_more_than_four_parts() -> None:
    longest = max(len(unicodedata.normalize("NFD", chr(code))) for code in range(0x110000))
    assert longest == 4


# "|" marks where a sentence must end; the text is what is left without it.
EXAMPLES = [
    # Korean
    "안녕하세요, 김철수님! 반갑습니다.| 울산 남구에서의 기억이 있으신가요?",
    "오늘은 정말 좋은 날씨네요.|산책을 나가 볼까요?",
    "오늘은 정말 좋은 날씨네요.|3시에 만나요.",
    "오늘은 정말 좋은 날씨네요!|OST도 들어 봐요.",
    "원주율은 대략 3.14라고 알려져 있습니다.| 그렇죠?",
    "인구는 모두 1.000.000명이라고 합니다.| 많네요.",
    "자세한 내용은 https://a.b/c?d=e!f 에서 확인하세요.| 감사합니다.",
    "자세한 내용은 여기 www.x.co.kr?가=나!다 에서 확인하세요.| 감사합니다.",
    "자세한 내용은 여기 x.co.kr:80/길.가?나 에서 확인하세요.|감사합니다.",
    "자세한 내용은 여기 http://localhost?가=나!다 에서 확인하세요.|감사합니다.",
    "www.x.kr. 자세한내용을확인하세요.|감사합니다.",
    "자세한 내용은 여기 있어요: https://a.b/c.| 감사합니다.",
    "저의 주소는 first.last@mail.co.kr 입니다.| 메일 주세요.",
    "제가 어제 만들어 둔 보고서.pdf 파일을 열어 보세요.| 어때요?",
    "제가 좋아하는 것은 node.js와 .NET입니다.| 당신은요?",
    '그는 "오늘 정말 반가웠습니다."라고 말했다.| 나도 그랬다.',
    '"오늘 정말 반가웠습니다."| 그는 말했다.',
    "(오늘 정말 반가웠습니다!)| 그는 말했다.",
    "(오늘 정말 반가웠습니다!).| 그는 말했다.",
    "그는 (네!) 오늘 정말 반가웠습니다.|나도 그랬다.",
    "**오늘 정말 반가웠습니다!**| 그는 말했다.",
    "정말 말(?)이 안 되는 것 같은(?) 이야기네요.| 그렇죠?",
    "음... 그러니까 그게 말이죠...| 잘 모르겠어요.",
    "그게 정말로 사실인가요?!|정말 놀랍네요!!!",
    "그게 정말로 사실인가요!|ok라고 했어요.",
    "그게 정말로 사실인가요‼\ufe0f|정말 놀랍네요.",
    "그게 정말로 사실인가요…|정말 놀랍네요…",
    "제 혈액형은 여러분과 같은 A. 그리고 O형입니다.| 네.",
    "피부에 좋은 것은 바로 비타민 C..| 그리고 물입니다.",
    "피부에 좋은 것은 바로 비타민C.| 그리고 물입니다.",
    "다음 세 가지를 준비해 주세요\n1. 사과\n2. 배\n3. 감을 준비합니다.| 네?",
    "준비할 것은 이렇습니다: 1.사과 2.배 그리고 감.| 네?",
    "오늘은 정말 좋은 날씨네요. \n\n",
    "오늘은 정말 좋은 날씨네요.| 😊",
    # English
    "I met J. Doe of the U.S. army, i.e. the old one.| He said hi.",
    "I met J.-P. Sartre in the R&D.| He said hi.",
    "I once met the old E\u0301. Zola in town.| He said hi.",
    "I really like this one!！|OK then.",
    "The price is 3.50 or 1,000.25 dollars.| Not bad!",
    "Visit example.com or Yahoo!Japan some day?| Sure.",
    "Look at ../src/main.py and ./run first.| Then ask.",
    '"This is what he really said."| And then he left.',
    'This is what he really said, "Ok, we go!", and left.| Then he\'s back.',
    "Well...maybe this is what he wanted...| Or not.",
    "He wrote (see the appendix A.) and left early.| Then he came.",
    # other European languages
    "Er sagte: „Das ist wirklich gut.“| Dann ging er.",
    "Il a dit : «Bonjour à toutes et à tous.»| Puis il est parti.",
    "Это написал А. С. Пушкин, великий поэт.| Правда?",
    "Мой сайт живёт на пример.рф давно.| Правда?",
    # Japanese
    "今日はとても良い天気ですね。|一緒に散歩に行きましょうか？|はい。",
    "「今日はとても良い天気ですね。」|「そうですね。」",
    "これは注です（後で詳しく説明します。）|次に進みます。",
    "円周率は３．１４です、覚えてくださいね！|OK",
    "詳しくはhttps://a.b/c?d=e.fを見てください。|ありがとう。",
    "詳しくはhttps://a.b/c。|今日はとても良い天気です!|はい",
    "これはとても良い小さなtest。|OK",
    # Chinese
    "他说：“今天天气真的非常好。”|然后他走了。",
    "他走进来看着我们所有的人。|“你好，”他说。",
    "他沉默了很久很久很久很久……|“你好，”他说。",
    "这是一个非常非常长的句子。|**重点**是什么？",
    "这是一个非常非常长的句子。*）|重点是什么？",
    '他看了看 "https://a.b/c."|然后他走了。',
    "你真的觉得这样做很好吗？？|我不这么认为。",
    # Hindi, Urdu, Arabic, Thai
    "आज मौसम बहुत अच्छा है।| क्या हम चलें?",
    "آج موسم بہت اچھا ہے۔| کیا ہم چلیں؟",
    "هل الطقس جميل اليوم؟| نعم، إنه جميل.",
    "كتب د. محمد أن العدد هو ٣.١٤ تقريبا.| نعم",
    "เขาเกิดเมื่อ พ.ศ. 2540 เวลา 10.00 น. ครับ",
    # abbreviations, dates, ordinals, lists, quotations and code
    "I went to see Dr. Kim about it yesterday.| He was kind.",
    "We talked to Mrs. Robinson and Mr. Lee.| They agreed.",
    "It was Korea vs. Japan in the final.| Korea won.",
    "He works for Apple Inc. in California now.| He likes it.",
    "He works at Google Inc.| He likes it a lot.",
    "The shares of Acme Inc. (ACME) rose today.| Nice.",
    "We will meet on Jan. 5, 2025 in Seoul.| See you.",
    "We will meet in mid Sept. next year.| See you.",
    "She bought apples, pears, etc. at the market.| Then left.",
    "She bought apples, pears, etc.| Then she left.",
    "Please look at Fig. 3 and Vol. 2 of it.| Thanks.",
    "The answer to that is a clear No.| I will not.",
    "I live in room No. 5 on this floor.| It is small.",
    "She has a Ph.D. in physics and teaches.| She is nice.",
    "I get up at 6 a.m. every single day.| You too?",
    "He lives in the U.S.A. with his family.| They moved.",
    "We like fruit, e.g. apples and pears.| You?",
    "The old one, i.e. the first, was better.| OK.",
    '"Are you sure?" and then he left the room.| She stayed.',
    '"Stop right there!" he said to all of us.| We stopped.',
    '"Are you really sure about it?"| Kim asked nobody.',
    "I was thinking... maybe we should go now.| OK?",
    "I was thinking about it...| Then I stopped.",
    "The value is 3.14159... and so on and on.| OK.",
    "Mail me at a.b@c.co.uk or x@y.io today.| Thanks.",
    "Please install version v1.2.3 of it now.| Then v2.0.",
    "Use `os.path. join()` to do exactly that.| Then run.",
    "Look:\n```python\nprint('Hi. There. All.')\nx = 1. \n```\nThat was it.| OK?",
    "Step 1. Boil the water in a big pot.| Step 2. Add the noodles.",
    "1. Boil the water.| 2. Add the noodles 3. Eat them all quickly.| Done.",
    "The answer to everything is 42.| Next question please.",
    "As you know I am 5.| He is 6.",
    "My little brother is now 5.| He goes to school.",
    "See https://a.b/c?d=e!foo.| Or not. or www.x.co now.",
    "Smith et al. found that it works.| Good.",
    "Louis XIV. of France is a strange way.| Yes.",
    "Wir treffen uns am 3. Oktober in Berlin.| Bis dann.",
    "Das war im 19. Jahrhundert nicht so.| Heute schon.",
    "Der 2. Weltkrieg endete im Jahr 1945.| Danach kam Frieden.",
    "Am 3. und 4. Mai ist alles geschlossen.| Schade.",
    "Ich mag Obst, z. B. Äpfel und Birnen.| Und du?",
    "Ich mag Obst, z.B. Äpfel und Birnen.| Und du?",
    "Ich wohne in Haus Nr. 5 der Hauptstr. in Bonn.| Es ist klein.",
    "Das kostet ca. 10 Mio. Euro im Jahr.| Das ist viel.",
    "Ich kaufe Äpfel, Birnen usw. auf dem Markt.| Und du?",
    "Ich kaufe Äpfel, Birnen usw.| Dann gehe ich heim.",
    "„Bist du dir da sicher?“ fragte er leise.| Sie nickte.",
    "Frau Prof. Dr. med. Müller hat heute frei.| Morgen nicht.",
    "Friedrich II. von Preußen war ein König.| Er starb.",
    "Er wurde gestern endlich 18.| Dann feierte er.",
    "오늘은 2025. 1. 5. 일요일이고 날씨가 좋아요.| 산책할까요?",
    "회의는 2025. 12. 25. 오후에 시작합니다.| 꼭 오세요.",
    "계약일은 2025.1.5. 로 되어 있습니다.| 맞나요?",
    "행사는 10. 3. 개천절에 열릴 예정입니다.| 오세요.",
    "준비하실 순서는 이래요: 1. 물을 끓이고 2. 면을 넣고 3. 기다려요.| 쉽죠?",
    "1. 물을 먼저 끓입니다.| 2. 면을 천천히 넣습니다.| 3. 맛있게 먹습니다.",
    "원주율은 대략 3.14159...입니다.| 신기하죠?",
    "원주율은 대략 3.14159…라고 합니다.| 신기하죠?",
    "오늘은 Dr. 김을 만나러 병원에 갑니다.| 같이 갈래요?",
    "오늘 경기는 한국 vs. 일본의 결승입니다.| 같이 봐요!",
    '그는 "정말 괜찮으시겠어요?" 라고 물었다.| 나는 웃었다.',
    '그는 "정말 괜찮으시겠어요?"라고 물었다.| 나는 웃었다.',
    '"정말로 괜찮으시겠어요?"| 그는 나에게 물었다.',
    "1980년 5. 18 민주화운동을 기억합니다.| 잊지 않아요.",
    "정답은 누구나 알듯이 3.| 다음 문제로 가요.",
    "```\n안녕. 하세요. 여러분. 반가워요.\n```\n위와 같이 써요.| 알겠죠?",
    "The final result of it was 2-1.| Then we all left.",
    "I counted like this: 1, 2, 3.| Then I stopped it.",
    "The last train leaves at 10:30.| Then it is over.",
    "Die Zahl der Gäste war 300.| Alle kamen an.",
    "「本当に大丈夫ですか、あなたは？」と彼は聞いた。|私は笑った。",
    "「今日はとても良い天気ですね。」って言った。|そうかな。",
    "「今日はとても良い天気ですね。」|でも私は帰った。",
    "今日はDr.田中さんに会いに病院へ行きます。|一緒にどう？",
    "手順はこうです。1. 水を沸かす 2. 麺を入れる 3. 待つ。|簡単。",
    "会議は2025. 1. 5. に始まる予定です。|ぜひ。",
    "Let's ask Jane and co. about all of that.| They should know.",
    "He moved to Germany in 2025.| 5 people came with him.",
    "They sold 3.5 Mio. units by Dec. 31 at the latest.| Wow.",
    "I visited the shop of Smith Bros. CEO Jones was there.| Good.",
    "Das Treffen ist am 5.6.2025.| Kommst du auch hin?",
    "Sie hat am 1.1. Geburtstag, also an Neujahr.| Schön.",
    "Siehe Abb. 3, S. 12 ff. und Kap. 4 im Buch.| Danach weiter.",
    "가나다 순서로 적으세요\n가. 목적과 배경\n나. 범위를 적습니다.| 끝.",
    "차례대로 먼저 1. 하나 2. 둘 3. 셋을 적습니다.| 끝났어요.",
    "행사는 12. 25.(목) 오후에 시작될 예정입니다.| 오세요.",
    "정답을 맞힌 사람은 아마도 3.| 5명이 틀렸습니다.",
    "`npm run build. now` 명령을 지금 실행하세요.| 됐나요?",
    "이건 닫히지 않은 ` 표시일 뿐입니다.|\n그렇습니다. 네.",
    "彼は「ここで少し待って！」と大きく叫んだ。|そして去った。",
    "「それでいいのですか、本当に？」|そう彼は言った。",
    "DR. KIM MET MR. LEE OF ACME INC. LATE ON JAN. 5.| THEY TALKED.",
    "THEY ALL WORK AT ACME INC.| THE END OF IT.",
    "Wir haben Sa. und So. leider geschlossen.| Mo. bis Fr. offen.",
    "Wir treffen uns am Mo., 3. Feb. 2025 in Köln.| Bis dann.",
    "He is about 6 ft. tall and 180 lb. heavy.| Big guy.",
    "He ran a distance of 300 ft.| Peter walked home.",
    '그는 "이제 그만 좀 하세요!" 고 외쳤다.| 모두 웃었다.',
    "### 1. 물을 준비합니다\n### 2. 불을 켭니다.| 끝났어요.",
    "**1. 물을 끓인다** 그리고 **2. 면을 넣는다**.| 끝.",
]


@pytest.mark.parametrize("marked", EXAMPLES)
def test_sentences_of_many_languages(marked: str) -> None:
    expected = marked.split("|")
    assert sentences([marked.replace("|", "")]) == expected
    assert sentences(marked.replace("|", "")) == expected


@pytest.mark.parametrize(
    "endless",
    [
        "```\n" + "print('한 줄입니다.') " * 600,
        "https://a.b/" + "c?d." * 3000,
        "Dr. " * 3000,
        "1. 물을 " + "Inc. and " * 1500,
    ],
    ids=["code", "URL", "abbreviations", "names"],
)
def test_what_never_ends_keeps_no_voice_back(endless: str) -> None:
    whole = sentences([endless])
    assert sentences(endless) == whole
    assert len(whole) >= len(endless) // (LONGEST + 100)
    assert max(map(len, whole)) <= LONGEST + 100


def test_without_languages_a_run_ends_a_sentence_wherever_it_may() -> None:
    text = "I went to see Dr. Kim about it on Jan. 5, 2025. He was kind."
    splitter = SentenceSplitter(languages=False)
    assert sentences([text], splitter) == ["I went to see Dr.", " Kim about it on Jan.", " 5, 2025. He was kind."]


def test_a_word_that_decides_is_waited_for() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("He works at Google Inc.") == []
    assert splitter.feed(" H") == []
    first = Closed(0, "He works at Google Inc.", ".")
    assert splitter.feed("e likes") == [Piece(first.text, 0), first, Piece(" H", 1), Piece("e likes", 1)]
    assert splitter.close() == [Closed(1, " He likes", "")]


def test_a_word_at_the_end_of_the_text_decides() -> None:
    assert sentences(["He works at Google Inc. He"]) == ["He works at Google Inc.", " He"]
    assert sentences(["He works at Google Inc. CEO"]) == ["He works at Google Inc. CEO"]


@pytest.mark.parametrize("sign", TERMINATORS)
def test_every_terminator_ends_a_sentence(sign: str) -> None:
    assert sentences([f"안녕하세요 여러분 저는요{sign} 네"]) == [f"안녕하세요 여러분 저는요{sign}", " 네"]


@pytest.mark.parametrize(("prefix", "split"), [("가" * 11, False), ("가" * 12, True), (" " + "가" * 11, True)])
def test_thirteen_characters_end_a_sentence_and_twelve_do_not(prefix: str, split: bool) -> None:
    assert sentences([prefix + ".", " 네"]) == ([prefix + ".", " 네"] if split else [prefix + ". 네"])


def test_the_run_counts_and_closing_signs_do_not() -> None:
    assert sentences(["가" * 11 + "!! 네"]) == ["가" * 11 + "!!", " 네"]
    assert sentences(["가" * 11 + '!" 네']) == ["가" * 11 + '!" 네']


def test_the_minimum_and_the_terminators_can_be_chosen() -> None:
    assert sentences(["네. 가요! 응"], SentenceSplitter(minimum=1)) == ["네.", " 가요!", " 응"]
    assert sentences(["네. 가요! 응"], SentenceSplitter(minimum=1, terminators="!")) == ["네. 가요!", " 응"]
    assert sentences(["네. 가요! 응"], SentenceSplitter(minimum=1, terminators="")) == ["네. 가요! 응"]


def test_a_possible_end_waits_for_the_next_character() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("오늘은 날씨가 정말 좋네") == [Piece("오늘은 날씨가 정말 좋네", 0)]
    assert splitter.feed("요") == [Piece("요", 0)]
    assert splitter.feed("") == []
    assert splitter.feed(".") == []
    assert splitter.feed("") == []
    assert splitter.feed(" 그") == [Piece(".", 0), Closed(0, "오늘은 날씨가 정말 좋네요.", "."), Piece(" 그", 1)]


def test_a_held_token_goes_out_whole_where_nothing_ends() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("원주율은 대략적으로 3.") == []
    assert splitter.feed("14") == [Piece("원주율은 대략적으로 3.", 0), Piece("14", 0)]


def test_a_token_is_cut_where_a_sentence_ends_inside_it() -> None:
    splitter = SentenceSplitter()
    first = "오늘은 날씨가 정말 좋네요?!"
    assert splitter.feed(first + " 그") == [Piece(first, 0), Closed(0, first, "?!"), Piece(" 그", 1)]


def test_white_space_leads_the_next_sentence_or_stays_when_there_is_none() -> None:
    first = "오늘은 날씨가 정말 좋네요."
    splitter = SentenceSplitter()
    assert splitter.feed(first) + splitter.feed("\n\n") + splitter.feed(" ") == []
    assert splitter.feed("네") == [
        Piece(first, 0),
        Closed(0, first, "."),
        Piece("\n\n", 1),
        Piece(" ", 1),
        Piece("네", 1),
    ]
    assert splitter.close() == [Closed(1, "\n\n 네", "")]
    assert read([first, "\n\n"]) == [Piece(first, 0), Piece("\n\n", 0), Closed(0, first + "\n\n", ".")]


def test_white_space_beyond_reach_stays_with_the_sentence_before() -> None:
    first, gap = "오늘은 날씨가 정말 좋네요.", " " * (REACH + 1)
    assert sentences([first + gap[1:] + "네"]) == [first, gap[1:] + "네"]
    assert sentences([first + gap + "네"]) == [first + gap, "네"]


def test_emphasis_beyond_reach_stays_with_the_sentence_before() -> None:
    first, marks = "今天天气真的非常好非常好非常好。", "*" * (REACH + 1)
    assert sentences([first + marks[1:] + "好"]) == [first, marks[1:] + "好"]
    assert sentences([first + marks + "好"]) == [first + marks, "好"]


def test_numbers_go_on_after_close_and_nothing_else_does() -> None:
    splitter = SentenceSplitter()
    assert read(["https://a.b/c"], splitter)[-1] == Closed(0, "https://a.b/c", "")
    assert read(["네."], splitter) == [Piece("네.", 1), Closed(1, "네.", ".")]
    assert read([], splitter) == []
    assert sentences(["가나다라마바사아자차카타.파하"], splitter) == ["가나다라마바사아자차카타.", "파하"]


def test_white_space_alone_stays_open_and_leads_the_next_text() -> None:
    splitter = SentenceSplitter()
    assert read([" ", "\n"], splitter) == [Piece(" ", 0), Piece("\n", 0)]
    assert read(["네"], splitter) == [Piece("네", 0), Closed(0, " \n네", "")]


def test_a_long_url_is_not_held() -> None:
    splitter = SentenceSplitter()
    splitter.feed("주소는 https://a.b/")
    assert all(splitter.feed("path/to") == [Piece("path/to", 0)] for _ in range(1000))


def transcript(name: str) -> list[tuple[str, list[str]]]:
    """The tokens of a transcript in groups of one sent_uid."""
    frames = [json.loads(line) for line in (TRANSCRIPTS / f"{name}.jsonl").read_text("utf-8").splitlines()]
    tokens = [frame for frame in frames if frame.get("event") == "on_chat_model_stream"]
    return [
        (uid, [frame["data"]["chunk"]["content"] for frame in group])
        for uid, group in groupby(tokens, key=lambda frame: frame["sent_uid"])
    ]


@pytest.mark.parametrize(
    ("name", "count"), [("2024-08-27-use_voice", 4), ("2024-10-06-sendmsg", 3), ("2024-11-03-use_voice-language-id", 1)]
)
def test_transcripts_are_split_as_the_service_did(name: str, count: int) -> None:
    groups = [tokens for _, tokens in transcript(name)]
    assert len(groups) == count
    if name == "2024-10-06-sendmsg":  # this revision never sent the final dot
        groups = [tokens if tokens[-1] == "?" else [*tokens, "."] for tokens in groups]
    said = read(token for tokens in groups for token in tokens)
    expected: list[Piece | Closed] = []
    for number, tokens in enumerate(groups):
        expected += [Piece(token, number) for token in tokens]
        expected.append(Closed(number, "".join(tokens), tokens[-1]))
    assert said == expected


HARD = {
    "no terminator": ["가"],
    "dots": ["."],
    "spaced dots": [". "],
    "closing signs": [")"],
    "emphasis": ["*"],
    "spaces": [" "],
    "url": ["c?d."],
    "slashes": ["/"],
    "decomposed": ["\u1112\u1161\u11ab."],
    "sentences": ["그렇습니다", "."],
    "abbreviations": ["Dr. ", "Inc. The "],
    "backticks": ["`"],
    "code": ["`a. b`. "],
    "fences": ["```", "a. b"],
    "numbers": ["1. ", "2. "],
    "quotations": ['네." 라', "고 "],
}


@pytest.mark.parametrize("name", HARD)
def test_work_grows_with_the_text_only(name: str) -> None:
    def seconds(repeats: int) -> float:
        tokens = ["자세한 내용은 https://a.b/c 입니다.", *HARD[name] * repeats]
        return min(timeit.repeat(lambda: read(tokens), timer=time.process_time, number=1, repeat=3))

    assert seconds(20_000) < 20 * seconds(2_500) + 0.05  # 8 times the text; 64 times the work if quadratic
