/** Texts that the rules must accept, and texts that they must find. Made for these tests. */
/** Words of a community's list; each has innocent relatives in the sentences below. */
export const blockedWords = [
    "scam",
    "god",
    "bot",
    "rot",
    "shot",
    "hell",
    "ass",
    "penis",
    "cunt",
    "spam",
    "whore",
    "viagra",
    "casino",
    "crypto giveaway",
    "死ね",
    "バカ",
    "傻逼",
    "赌博",
    "หี",
    "ควย",
    "कम",
    "hure",
    "puta",
    "merda",
    "сука",
    "хуй",
    "كلب",
    "시발",
    "cop",
    "xyz*",
];
const english = `good morning everyone|the boot is full|water the root of the plant|please shoot me a message|the hello world example|she will pass the class|as sure as I can be|the pen is on the table|he went to Scunthorpe by train|my assistant is kind|the grass is green|a robot works at night|both of them came|the bottle is empty|wrote a letter|rotate the picture|shell script for beginners|seashells on the shore|camp in the woods|scampi for dinner|he has scanned the page|the therapist has time today|goood morning to you|booting takes a minute|I am too cool for school`;
const german = `Guten Morgen zusammen|Das Boot liegt im Hafen|Ein rotes Auto steht dort|Die Schule beginnt um acht|Ich habe Hunger|Die Uhr geht vor|Das Brot ist frisch|Wir haben es geschafft|Er ist Assistent im Büro|Das Fass ist voll|Die Hölle ist nur ein Wort|Heute scheint die Sonne|Bitte schick mir das Bild|Der Hund schläft schon|Ich gehe nach Hause|Wie geht es dir heute|Wir treffen uns um drei|Das Essen war sehr gut|Der Zug hat Verspätung|Ich lerne gerade Deutsch|Kannst du mir helfen|Schönes Wochenende euch allen|Das Spiel beginnt gleich|Ich habe es vergessen|Vielen Dank für alles`;
const french = `Bonjour à tous|Il fait beau aujourd'hui|Je passe par la rue|La classe commence à huit heures|Le botaniste aime les fleurs|Un rôti pour dimanche|Elle est assise là|Je suis très contente|Nous allons au marché|Quelle heure est-il|Le chat dort sur le lit|Merci beaucoup pour ton aide|On se voit demain soir|C'est une bonne idée|J'ai perdu mes clés|Le train est en retard|Il y a du monde ici|Bon appétit à vous|Le film était long|Où est la bibliothèque|Je ne comprends pas|Tu viens avec nous|À bientôt mes amis|La mer est calme|Bonne nuit et à demain`;
const spanish = `Buenos días a todos|La computadora no funciona|El disputado partido de ayer|Reputación de la empresa|Hace mucho calor hoy|Vamos a la playa|El bote está en el río|¿Dónde está la estación?|¡Qué bonito día!|Me gusta el chocolate|Tengo dos hermanos|La casa es grande|No puedo ir mañana|Gracias por tu ayuda|El gato come pescado|Hasta luego amigos|¿Cómo estás hoy?|Mañana es mi cumpleaños|El tren sale a las ocho|Quiero aprender inglés|La película fue larga|Mi madre cocina bien|Estoy muy cansado|Nos vemos el lunes|Feliz año nuevo`;
const portuguese = `Bom dia a todos|O computador está lento|A disputa foi longa|O botão está quebrado|A rota do ônibus mudou|Vamos à praia amanhã|Eu gosto de café|Onde fica a estação|Obrigado pela ajuda|Estou com fome|O gato dorme muito|Até logo pessoal|A casa é bonita|Não posso ir hoje|Que horas são|Minha irmã chega cedo|O filme foi bom|Boa noite e até amanhã|Feliz aniversário|O trem está atrasado|A comida está pronta|Preciso de um livro|Ela canta muito bem|Está chovendo agora|Tudo bem com você`;
const russian = `Доброе утро всем|Открой рот пошире|Новый робот пылесос|Сор лежит на полу|Он идёт домой|Мама мыла раму|Какой хороший день|Суккулент стоит на окне|Я люблю читать книги|Погода сегодня хорошая|До завтра друзья|Спасибо за помощь|Где находится вокзал|Кот спит на диване|Мы едем на море|Ужин уже готов|Сколько это стоит|Я не понимаю тебя|Поезд опаздывает|С днём рождения|Он хорошо поёт|Дети играют во дворе|Хорошего вечера всем|Завтра будет дождь|Рассказ очень интересный`;
const hindi = `सुप्रभात सबको|मुझे काम करना है|काम पूरा हो गया|यह कामयाब रहा|कमल का फूल|कमरा साफ है|आप कैसे हैं|मैं घर जा रहा हूँ|आज मौसम अच्छा है|धन्यवाद मेरे दोस्त|खाना तैयार है|वह किताब पढ़ रही है|हम कल मिलेंगे|यह बहुत सुंदर है|मुझे चाय पसंद है|ट्रेन देर से आई|बच्चे खेल रहे हैं|जन्मदिन की शुभकामनाएँ|क्या समय हुआ है|मेरा नाम राम है|नमस्ते दोस्तों|बारिश हो रही है|दुकान बंद है|वह अच्छा गाता है|शुभ रात्रि`;
const japanese = `おはようございます|夏のバカンスが楽しみ|今日は天気がいいですね|必死に勉強しました|死海はとても塩辛い|仕事が終わりました|電車が遅れています|ありがとうございます|また明日会いましょう|猫が寝ています|お腹が空きました|映画は面白かった|駅はどこですか|誕生日おめでとう|雨が降っています|本を読むのが好き|少し疲れました|コーヒーを飲みたい|日本語を勉強中です|家に帰ります|楽しい週末を|お元気ですか|料理が上手ですね|写真を送ってください|おやすみなさい`;
const chinese = `大家早上好|今天天气很好|我在学习中文|火车晚点了|谢谢你的帮助|明天见朋友们|猫在睡觉|我饿了|电影很有意思|车站在哪里|生日快乐|正在下雨|我喜欢看书|有点累了|想喝咖啡|回家吃饭|周末愉快|你好吗|菜做得很好|请发照片|晚安大家|他在打赌明天会下雨|博物馆今天开门|傻瓜相机很好用|我们一起去吧`;
const thai = `สวัสดีตอนเช้า|หีบเพลงเสียงดี|วันนี้อากาศดี|ขอบคุณมากครับ|เจอกันพรุ่งนี้|แมวกำลังนอน|ฉันหิวข้าว|หนังสนุกมาก|สถานีอยู่ที่ไหน|สุขสันต์วันเกิด|ฝนกำลังตก|ฉันชอบอ่านหนังสือ|เหนื่อยนิดหน่อย|อยากดื่มกาแฟ|กลับบ้านแล้ว|สุดสัปดาห์ที่ดี|สบายดีไหม|ทำอาหารเก่งมาก|ส่งรูปมาหน่อย|ราตรีสวัสดิ์|รถไฟมาช้า|เรียนภาษาไทย|เด็กกำลังเล่น|ทะเลสวยมาก|ไปด้วยกันไหม`;
const arabic = `صباح الخير للجميع|الجو جميل اليوم|شكرا على المساعدة|أراك غدا يا صديقي|القطة نائمة|أنا جائع|الفيلم كان طويلا|أين المحطة|عيد ميلاد سعيد|السماء تمطر|أحب قراءة الكتب|أنا متعب قليلا|أريد قهوة|ذهبت إلى البيت|عطلة سعيدة|كيف حالك|الطعام لذيذ|أرسل الصورة من فضلك|تصبح على خير|القطار متأخر|أتعلم العربية|الأطفال يلعبون|البحر هادئ|هيا نذهب معا|المكلبش كلمة نادرة`;
const korean = `좋은 아침입니다|오늘 날씨가 좋네요|도와줘서 고마워요|내일 봐요 친구들|고양이가 자고 있어요|배가 고파요|영화가 재미있었어요|역이 어디예요|생일 축하해요|비가 오고 있어요|책 읽는 것을 좋아해요|조금 피곤해요|커피 마시고 싶어요|집에 갈게요|주말 잘 보내세요|잘 지내세요|요리를 잘하네요|사진 보내 주세요|안녕히 주무세요|기차가 늦었어요|한국어를 배워요|아이들이 놀아요|바다가 예뻐요|같이 갈래요|시발점이 어디인가요`;
/** 25 sentences in each of twelve languages. */
export const innocentSentences = [
    english,
    german,
    french,
    spanish,
    portuguese,
    russian,
    hindi,
    japanese,
    chinese,
    thai,
    arabic,
    korean,
].flatMap((sentences) => sentences.split("|"));
const mapLetters = (from) => (word) => Array.from(word, (letter) => String.fromCodePoint(from + letter.charCodeAt(0) - 97)).join("");
const replaceLetters = (from, to) => (word) => Array.from(word, (letter) => Array.from(to)[from.indexOf(letter)] ?? letter).join("");
const between = (text) => (word) => Array.from(word).join(text);
const disguises = [
    (word) => word.toUpperCase(),
    mapLetters(0xff41),
    mapLetters(0x1d4d0 + 26),
    mapLetters(0x1d586),
    mapLetters(0x1d68a),
    mapLetters(0x24d0),
    mapLetters(0x1f130),
    mapLetters(0x1f150),
    mapLetters(0x1f170),
    mapLetters(0x1f1e6),
    replaceLetters("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"),
    replaceLetters("aceopsxyi", "асеорѕхуі"),
    replaceLetters("aoeps", "αοερѕ"),
    replaceLetters("oieast", "013457"),
    replaceLetters("ls", "1$"),
    replaceLetters("ai", "@!"),
    between(" "),
    between("."),
    between("-"),
    between("_"),
    between("\u200b"),
    between("\u00ad"),
    between("\u2060"),
    between("\u2800"),
    between("\u0336"),
    between("\u0301"),
    (word) => `\u202e${Array.from(word).reverse().join("")}`,
    (word) => word.replace(/[aiu]/, (letter) => letter.repeat(5)),
    (word) => `you ${word}!!! yes`,
    (word) => `**${word}**`,
];
/** 30 disguises of five words, one word each turn. */
export const evasions = ["scam", "viagra", "spam", "casino", "whore"].flatMap((word) => disguises.map((disguise) => disguise(word)));
/** Each is a link in a browser or a chat client. */
export const links = [
    ..."com net org io ai cn in pw icu zip ru de fr uk br xyz top club site online shop app dev me tv gg ly co be eu us ca mx jp kr tk ml biz info name mobi travel museum мкд рф 中国"
        .split(" ")
        .map((suffix) => `see evil.${suffix} now`),
    "https://evil.example\\@allowed.example/x",
    "https://allowed.example@evil.test/",
    "https://allowed.example:80@evil.test",
    "https:\\\\evil.test",
    "https:/evil.test",
    "https:evil.test",
    "HTTPS://EVIL.TEST",
    "hTtP://evil.test/?q=1",
    "ftp://evil.test/a",
    "ws://evil.test",
    "//evil.com/x",
    "\\\\evil.com\\x",
    "http://192.0.2.1/",
    "http://[::1]/",
    "http://[2001:db8::1]:8080/x",
    "http://2130706433/",
    "http://0x7f.1/",
    "192.0.2.1",
    "evil。com",
    "evil．com",
    "evil｡com",
    "ｅｖｉｌ.ｃｏｍ",
    "𝐞𝐯𝐢𝐥.𝐜𝐨𝐦",
    "ⓔⓥⓘⓛ.com",
    "evil\u200b.com",
    "ev\u00adil.com",
    "(evil.com)",
    "evil.com.",
    "evil.com,and more",
    "Evil.Com",
    "www.evil.co.uk/path?x=1#y",
    "a.b.c.evil.com:8443/x",
    "bücher.de",
    "foo.github.io",
    "mail me: x@evil.com",
    "custom://evil.test/x",
    "[text](https://evil.test)",
    "https://evil.test.",
    "xn--e1afmkfd.xn--p1ai",
];
