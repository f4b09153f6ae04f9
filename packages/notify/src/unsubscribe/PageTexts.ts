/** The texts of the pages behind the links in mails, in the language of the reader. A further language is one more entry. */

export interface PageTexts {
  readonly language: string
  readonly notifications: string
  readonly channels: { readonly [C in "email" | "push" | "in_app" | "sms"]: string }
  readonly save: string
  readonly saved: string
  readonly unsubscribe: string
  readonly stop: (category: string) => string
  readonly unsubscribed: string
  readonly stopped: (category: string) => string
  readonly unknownLink: string
  readonly incompleteLink: string
  readonly tryAgain: string
  readonly unavailable: string
  readonly incompleteForm: string
}

const english: PageTexts = {
  language: "en",
  notifications: "Notifications",
  channels: { email: "E-mail", push: "Push", in_app: "In the app", sms: "SMS" },
  save: "Save",
  saved: "Your choice is saved.",
  unsubscribe: "Unsubscribe",
  stop: (category) => `Stop receiving mail of the kind “${category}”?`,
  unsubscribed: "Unsubscribed",
  stopped: (category) => `You will receive no more mail of the kind “${category}”.`,
  unknownLink: "Unknown link",
  incompleteLink: "This link is incomplete. Copy it again from the mail.",
  tryAgain: "Try again",
  unavailable: "The request could not be handled. Please try again in a minute.",
  incompleteForm: "The form did not arrive completely. Please send it again.",
}

const languages: ReadonlyArray<PageTexts> = [
  english,
  {
    language: "fr",
    notifications: "Notifications",
    channels: { email: "E-mail", push: "Push", in_app: "Dans l’application", sms: "SMS" },
    save: "Enregistrer",
    saved: "Votre choix est enregistré.",
    unsubscribe: "Se désabonner",
    stop: (category) => `Ne plus recevoir de messages du type « ${category} » ?`,
    unsubscribed: "Désabonnement effectué",
    stopped: (category) => `Vous ne recevrez plus de messages du type « ${category} ».`,
    unknownLink: "Lien inconnu",
    incompleteLink: "Ce lien est incomplet. Copiez-le à nouveau depuis le message.",
    tryAgain: "Réessayez",
    unavailable: "La demande n’a pas pu être traitée. Veuillez réessayer dans une minute.",
    incompleteForm: "Le formulaire n’est pas arrivé en entier. Veuillez l’envoyer à nouveau.",
  },
  {
    language: "de",
    notifications: "Benachrichtigungen",
    channels: { email: "E-Mail", push: "Push", in_app: "In der App", sms: "SMS" },
    save: "Speichern",
    saved: "Ihre Auswahl ist gespeichert.",
    unsubscribe: "Abbestellen",
    stop: (category) => `Keine E-Mails der Art „${category}“ mehr erhalten?`,
    unsubscribed: "Abbestellt",
    stopped: (category) => `Sie erhalten keine E-Mails der Art „${category}“ mehr.`,
    unknownLink: "Unbekannter Link",
    incompleteLink: "Dieser Link ist unvollständig. Kopieren Sie ihn noch einmal aus der E-Mail.",
    tryAgain: "Noch einmal versuchen",
    unavailable: "Die Anfrage konnte nicht bearbeitet werden. Bitte versuchen Sie es in einer Minute noch einmal.",
    incompleteForm: "Das Formular ist nicht vollständig angekommen. Bitte senden Sie es noch einmal.",
  },
  {
    language: "es",
    notifications: "Notificaciones",
    channels: { email: "Correo", push: "Push", in_app: "En la aplicación", sms: "SMS" },
    save: "Guardar",
    saved: "Su elección se ha guardado.",
    unsubscribe: "Darse de baja",
    stop: (category) => `¿Dejar de recibir correos del tipo «${category}»?`,
    unsubscribed: "Baja confirmada",
    stopped: (category) => `No recibirá más correos del tipo «${category}».`,
    unknownLink: "Enlace desconocido",
    incompleteLink: "Este enlace está incompleto. Cópielo de nuevo del correo.",
    tryAgain: "Inténtelo de nuevo",
    unavailable: "No se ha podido atender la solicitud. Inténtelo de nuevo dentro de un minuto.",
    incompleteForm: "El formulario no ha llegado completo. Envíelo de nuevo.",
  },
]

/** `locale`: the choice of the reader, if it is known. Otherwise the first known language of `acceptLanguage`, else English. */
export const textsFor = (locale: string | undefined, acceptLanguage = ""): PageTexts => {
  const wanted = [locale ?? "", ...acceptLanguage.split(",")].map((tag) =>
    tag
      .trim()
      .toLowerCase()
      .replace(/[-_;].*$/, ""),
  )
  for (const language of wanted) {
    const texts = languages.find((one) => one.language === language)
    if (texts !== undefined) return texts
  }
  return english
}
